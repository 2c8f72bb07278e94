// SPDX-License-Identifier: MIT
// An MQTT client that is none of ours: the npm package `mqtt`. It connects, subscribes to everything,
// publishes what it is told, and prints what happens, one line each.
// usage: node node_client.cjs URL CA CERTIFICATE KEY CLIENT-ID SECONDS [TOPIC=TEXT...]
'use strict';
const fs = require('fs');
const mqtt = require('mqtt');

const [url, ca, certificate, key, clientId, seconds, ...messages] = process.argv.slice(2);
const read = (file) => (file === '-' ? undefined : fs.readFileSync(file));
const say = (...words) => process.stdout.write(words.join(' ') + '\n');
const client = mqtt.connect(url, {
  ca: read(ca), cert: read(certificate), key: read(key), clientId, protocolVersion: 5,
  reconnectPeriod: 0, connectTimeout: 5000, servername: 'localhost',
  wsOptions: { ca: read(ca), cert: read(certificate), key: read(key), servername: 'localhost' },
});

function end(code) {
  client.end(true);
  process.exit(code);
}

client.on('connect', (connack) => {
  say('connected', connack.reasonCode);
  client.subscribe('#', { qos: 1 }, (error, granted) => {
    say('subscribed', error ? error.message : granted.map((one) => one.qos).join(','));
    for (const message of messages) {
      const at = message.indexOf('=');
      client.publish(message.slice(0, at), message.slice(at + 1), { qos: 1 }, (failed, packet) => {
        const code = failed && failed.code !== undefined ? failed.code : (packet && packet.reasonCode) || 0;
        say('published', message.slice(0, at), failed && failed.code === undefined ? failed.message : code);
      });
    }
  });
});
client.on('message', (topic, payload) => say('heard', topic, payload.toString()));
client.on('error', (error) => { say('error', error.code || '', error.message); end(1); });
client.on('close', () => { say('closed'); end(1); });
setTimeout(() => end(0), 1000 * Number(seconds));
