// SPDX-License-Identifier: MIT
// The npm package mongoose-os-rpc over HTTP, as it is. Usage: http.cjs URL, and on standard input a request a line:
// METHOD JSON. A line of answer each: "result ..." or "error CODE MESSAGE".
const readline = require('readline')
const { Rpc } = require('mongoose-os-rpc')
const rpc = new Rpc({ address: process.argv[2], timeout: 5000 })
rpc.on('error', error => console.log('malformed', error.message))
rpc.on('open', async () => {
  for await (const line of readline.createInterface({ input: process.stdin })) {
    const [method, ...args] = line.split(' ')
    await new Promise(resolve => rpc.call(method, args.length ? JSON.parse(args.join(' ')) : {}, 'a tag', (error, result) => {
      console.log(error ? `error ${error.code} ${error.message}` : `result ${JSON.stringify(result)}`)
      resolve()
    }))
  }
  process.exit(0)
})
