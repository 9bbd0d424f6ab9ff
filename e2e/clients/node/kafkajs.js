// kafkajs, through topics, producers, a group of two and the admin client: node kafkajs.js HOST:PORT
'use strict'
const assert = require('node:assert/strict')
const { once, EventEmitter } = require('node:events')
const { Kafka, logLevel } = require('kafkajs')

const TOPIC = 'numbers'
const GROUP = 'pair'
const kafka = new Kafka({ clientId: 'kafkajs', brokers: [process.argv[2]], logLevel: logLevel.NOTHING })
const messages = (from, to) => Array.from({ length: to - from }, (_, i) => ({ key: `key ${from + i}`, value: `${from + i}` }))
const sorted = values => [...values].sort((a, b) => a - b)
const range = (from, to) => Array.from({ length: to - from }, (_, i) => from + i)

// A consumer of committed records; `joined` is emitted with its partitions, `record` with the number of records seen.
async function member(seen) {
  const consumer = kafka.consumer({ groupId: GROUP, readUncommitted: false, maxWaitTimeInMs: 100, heartbeatInterval: 100 })
  const events = new EventEmitter()
  events.partitions = []
  consumer.on(consumer.events.GROUP_JOIN, ({ payload }) => {
    events.partitions = payload.memberAssignment[TOPIC] || []
    events.emit('joined')
  })
  consumer.on(consumer.events.CRASH, ({ payload }) => payload.restart || events.emit('error', payload.error))
  await consumer.connect()
  await consumer.subscribe({ topics: [TOPIC], fromBeginning: true })
  await consumer.run({
    eachMessage: async ({ message }) => {
      seen.push(Number(message.value))
      seen.events.emit('record')
    },
  })
  return { consumer, events }
}

async function produce() {
  const idempotent = kafka.producer({ idempotent: true })
  await idempotent.connect()
  const sent = await idempotent.send({ topic: TOPIC, messages: messages(0, 100) })
  assert.ok(sent.every(({ errorCode, baseOffset }) => errorCode === 0 && baseOffset === '0'), JSON.stringify(sent))
  await idempotent.disconnect()

  const transactional = kafka.producer({ transactionalId: 'kafkajs', maxInFlightRequests: 1, idempotent: true })
  await transactional.connect()
  const aborted = await transactional.transaction()
  await aborted.send({ topic: TOPIC, messages: messages(1000, 1010) })
  await aborted.abort()
  const committed = await transactional.transaction()
  await committed.send({ topic: TOPIC, messages: messages(100, 200) })
  const offsets = { consumerGroupId: 'in-transaction', topics: [{ topic: TOPIC, partitions: [{ partition: 2, offset: '7' }] }] }
  await committed.sendOffsets(offsets)
  await committed.commit()
  await transactional.disconnect()
}

async function main() {
  const admin = kafka.admin()
  await admin.connect()
  assert.equal(await admin.createTopics({ topics: [{ topic: TOPIC, numPartitions: 4 }] }), true)
  assert.equal(await admin.createTopics({ topics: [{ topic: TOPIC, numPartitions: 4 }] }), false, 'it is there already')

  const seen = Object.assign([], { events: new EventEmitter() })
  const one = await member(seen)
  while (one.events.partitions.length < 4) await once(one.events, 'joined')
  const two = await member(seen)
  while (one.events.partitions.length !== 2) await once(one.events, 'joined')
  while (two.events.partitions.length !== 2) await once(two.events, 'joined')
  assert.deepEqual(sorted([...one.events.partitions, ...two.events.partitions]), [0, 1, 2, 3])
  const { groups } = await admin.describeGroups([GROUP])
  assert.deepEqual([groups[0].state, groups[0].protocol, groups[0].members.length], ['Stable', 'RoundRobinAssigner', 2])

  await produce()
  while (seen.length < 200) await once(seen.events, 'record')
  assert.deepEqual(sorted(seen), range(0, 200), 'each committed record once, no aborted one')
  const ends = await admin.fetchTopicOffsets(TOPIC)
  // Stopping commits what was handled.
  await Promise.all([one.consumer.disconnect(), two.consumer.disconnect()])

  const [ofTransaction] = await admin.fetchOffsets({ groupId: 'in-transaction', topics: [TOPIC] })
  assert.deepEqual(ofTransaction.partitions.map(({ offset }) => offset).sort(), ['-1', '-1', '-1', '7'])
  const [ofGroup] = await admin.fetchOffsets({ groupId: GROUP, topics: [TOPIC] })
  for (const { partition, offset } of ofGroup.partitions) {
    // A marker of a transaction has an offset too, and may be the last one.
    const { high } = ends.find(end => end.partition === partition)
    assert.ok(Number(high) - Number(offset) <= 1, `partition ${partition}: ${offset} of ${high}`)
  }
  await admin.setOffsets({ groupId: GROUP, topic: TOPIC, partitions: [{ partition: 0, offset: '3' }] })
  const [reset] = await admin.fetchOffsets({ groupId: GROUP, topics: [TOPIC] })
  assert.equal(reset.partitions.find(({ partition }) => partition === 0).offset, '3')

  await admin.deleteTopicRecords({ topic: TOPIC, partitions: [{ partition: 0, offset: '5' }, { partition: 1, offset: '-1' }] })
  const left = await admin.fetchTopicOffsets(TOPIC)
  const low = partition => left.find(one => one.partition === partition).low
  assert.deepEqual([low(0), low(1)], ['5', ends.find(end => end.partition === 1).high])

  assert.ok((await admin.listTopics()).includes(TOPIC))
  assert.deepEqual((await admin.listGroups()).groups.map(({ groupId }) => groupId).sort(), ['in-transaction', GROUP])
  await admin.deleteGroups([GROUP, 'in-transaction'])
  assert.deepEqual((await admin.listGroups()).groups, [])
  await admin.createPartitions({ topicPartitions: [{ topic: TOPIC, count: 6 }] })
  assert.equal((await admin.fetchTopicMetadata({ topics: [TOPIC] })).topics[0].partitions.length, 6)
  await admin.deleteTopics({ topics: [TOPIC] })
  await admin.disconnect()
  console.log('kafkajs is content')
}

main().catch(error => {
  console.error(error)
  process.exit(1)
})
