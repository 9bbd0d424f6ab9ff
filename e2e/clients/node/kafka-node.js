// kafka-node, which speaks as clients of Kafka 0.9 to 0.11 do: node kafka-node.js HOST:PORT
'use strict'
const assert = require('node:assert/strict')
const { once, EventEmitter } = require('node:events')
const { promisify } = require('node:util')
const { Admin, ConsumerGroup, HighLevelProducer, KafkaClient, Offset } = require('kafka-node')

const TOPIC = 'numbers'
const GROUP = 'pair'
const kafkaHost = process.argv[2]
// A method of theirs, which takes a callback, as a promise.
const ask = (object, method, ...values) => promisify(object[method]).call(object, ...values)
const range = (from, to) => Array.from({ length: to - from }, (_, i) => from + i)

// A member that asks for the names of both protocols it knows; `partitions` says which ones it has.
function member(seen) {
  const options = { kafkaHost, groupId: GROUP, fromOffset: 'earliest', autoCommit: false, sessionTimeout: 6000, heartbeatInterval: 100 }
  const group = new ConsumerGroup({ ...options, protocol: ['roundrobin', 'range'] }, TOPIC)
  group.partitions = () => (group.topicPayloads || []).map(({ partition }) => partition).sort()
  group.on('message', ({ value }) => {
    seen.push(Number(value))
    seen.events.emit('record')
  })
  return group
}

async function main() {
  const client = new KafkaClient({ kafkaHost })
  await once(client, 'ready')
  assert.deepEqual(await ask(client, 'createTopics', [{ topic: TOPIC, partitions: 4, replicationFactor: 1 }]), [])
  const admin = new Admin(client)
  const [, { metadata }] = await ask(admin, 'listTopics')
  assert.deepEqual(Object.keys(metadata[TOPIC]), ['0', '1', '2', '3'])
  const resource = { resourceType: admin.RESOURCE_TYPES.topic, resourceName: TOPIC, configNames: ['cleanup.policy'] }
  const [{ configEntries }] = await ask(admin, 'describeConfigs', { resources: [resource], includeSynonyms: false })
  assert.deepEqual(configEntries.map(({ configValue }) => configValue), ['delete'])

  const seen = Object.assign([], { events: new EventEmitter() })
  const one = member(seen)
  while (one.partitions().length !== 4) await once(one, 'rebalanced')
  const two = member(seen)
  while (one.partitions().length !== 2) await once(one, 'rebalanced')
  while (two.partitions().length !== 2) await once(two, 'rebalanced')
  assert.deepEqual([...one.partitions(), ...two.partitions()].sort(), [0, 1, 2, 3])
  const { [GROUP]: described } = await ask(admin, 'describeGroups', [GROUP])
  assert.deepEqual([described.state, described.protocol, described.members.length], ['Stable', 'roundrobin', 2])

  const producer = new HighLevelProducer(client, { requireAcks: 1, partitionerType: 2 })
  const attributes = { none: 0, gzip: 1 }
  for (const [i, compression] of Object.values(attributes).entries()) {
    const messages = partition => range(0, 25).map(n => `${100 * i + 25 * partition + n}`)
    await ask(producer, 'send', range(0, 4).map(partition => ({ topic: TOPIC, partition, messages: messages(partition), attributes: compression })))
  }
  while (seen.length < 200) await once(seen.events, 'record')
  assert.deepEqual([...seen].sort((a, b) => a - b), range(0, 200))
  await Promise.all([one, two].map(group => ask(group, 'commit', true)))
  await Promise.all([one, two].map(group => ask(group, 'close', true)))

  const offset = new Offset(client)
  const { [TOPIC]: ends } = await ask(offset, 'fetchLatestOffsets', [TOPIC])
  const { [TOPIC]: committed } = await ask(offset, 'fetchCommitsV1', GROUP, range(0, 4).map(partition => ({ topic: TOPIC, partition })))
  assert.equal(Object.values(ends).reduce((a, b) => a + b), 200)
  assert.deepEqual(committed, ends)
  assert.deepEqual(await ask(admin, 'listGroups'), { [GROUP]: 'consumer' })
  await ask(client, 'close')
  console.log('kafka-node is content')
}

main().catch(error => {
  console.error(error)
  process.exit(1)
})
