// SPDX-License-Identifier: MIT
// A caller made of the npm package mongoose-os-rpc, as it is. Usage: call.cjs DEVICE CALLER PASSWORD-FILE, and on
// standard input a request a line: METHOD JSON. A line of answer each: "result ..." or "error CODE MESSAGE".
const fs = require('fs')
const readline = require('readline')
const { Rpc, MqttTransport } = require('mongoose-os-rpc')
const [device, caller, passwordFile] = process.argv.slice(2)
const transport = new MqttTransport({
  address: `mqtt://127.0.0.1/${device}/from/${caller}`,
  clientId: `${device}/to/${caller}`,
  reconnectPeriod: 300
})
// It hands no name and password on to the MQTT client it makes: that is told here, and counts from the
// second connection on.
Object.assign(transport._client.options, { username: caller, password: fs.readFileSync(passwordFile, 'utf8').trim() })
const rpc = new Rpc({ transport, timeout: 5000 })
let refused = 0
rpc.on('error', () => { refused++ })
setTimeout(() => { console.log('no connection,', refused, 'refused'); process.exit(1) }, Number(process.env.PATIENCE_MS || 20000)).unref()
transport._client.on('connect', () => {
  const ask = (method, args) => new Promise(resolve => rpc.call(method, args, 'a tag', (error, result) => {
    console.log(error ? `error ${error.code} ${error.message}` : `result ${JSON.stringify(result)}`)
    resolve()
  }))
  ;(async () => {
    for await (const line of readline.createInterface({ input: process.stdin })) {
      const [method, ...args] = line.split(' ')
      await ask(method, args.length ? JSON.parse(args.join(' ')) : {})
    }
    process.exit(0)
  })()
})
