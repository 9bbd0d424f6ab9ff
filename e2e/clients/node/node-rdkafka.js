// node-rdkafka, with the librdkafka of the system: node node-rdkafka.js HOST:PORT
'use strict'
const assert = require('node:assert/strict')
const { once, EventEmitter } = require('node:events')
const { promisify } = require('node:util')
const { AdminClient, CODES, KafkaConsumer, Producer } = require('node-rdkafka')

const TOPIC = 'numbers'
const GROUP = 'pair'
const PATIENCE = 60000
const config = { 'bootstrap.servers': process.argv[2] }
// A method of theirs, which takes a callback, as a promise.
const ask = (object, method, ...values) => promisify(object[method]).call(object, ...values)
const range = (from, to) => Array.from({ length: to - from }, (_, i) => from + i)

async function member(seen) {
  const consumer = new KafkaConsumer(
    { ...config, 'group.id': GROUP, 'enable.auto.commit': false, 'isolation.level': 'read_committed', rebalance_cb: true },
    { 'auto.offset.reset': 'earliest' },
  )
  consumer.partitions = []
  consumer.on('rebalance', ({ code }, partitions) => {
    consumer.partitions = code === CODES.ERRORS.ERR__ASSIGN_PARTITIONS ? partitions.map(({ partition }) => partition) : []
    consumer.emit('rebalanced')
  })
  await ask(consumer, 'connect', {})
  consumer.subscribe([TOPIC])
  consumer.setDefaultConsumeTimeout(100)
  // In a loop of ours: with theirs, a record that comes while the consumer is closed crashes it.
  const read = async () => {
    while (!consumer.stopped) {
      for (const { value } of await ask(consumer, 'consume', 100)) seen.push(Number(value))
      seen.events.emit('records')
    }
  }
  const reading = read()
  consumer.stop = async () => {
    consumer.stopped = true
    await reading
  }
  return consumer
}

// Sends these numbers; resolves when each one was delivered.
async function send(producer, numbers) {
  let left = numbers.length
  const delivered = new Promise((resolve, reject) => {
    producer.on('delivery-report', error => (error ? reject(error) : --left || resolve()))
  })
  for (const number of numbers) producer.produce(TOPIC, null, Buffer.from(`${number}`), `key ${number}`)
  await delivered
  producer.removeAllListeners('delivery-report')
}

async function connected(settings) {
  const producer = new Producer({ ...config, dr_cb: true, ...settings })
  await ask(producer, 'connect', {})
  producer.setPollInterval(20)
  return producer
}

async function produce() {
  const idempotent = await connected({ 'enable.idempotence': true })
  await send(idempotent, range(0, 100))
  await ask(idempotent, 'disconnect')

  const transactional = await connected({ 'transactional.id': 'node-rdkafka' })
  await ask(transactional, 'initTransactions', PATIENCE)
  await ask(transactional, 'beginTransaction')
  await send(transactional, range(1000, 1010))
  await ask(transactional, 'abortTransaction', PATIENCE)
  await ask(transactional, 'beginTransaction')
  await send(transactional, range(100, 200))
  await ask(transactional, 'commitTransaction', PATIENCE)
  await ask(transactional, 'disconnect')
}

async function main() {
  const admin = AdminClient.create(config)
  await ask(admin, 'createTopic', { topic: TOPIC, num_partitions: 4, replication_factor: 1 })
  const again = ask(admin, 'createTopic', { topic: TOPIC, num_partitions: 4, replication_factor: 1 })
  await assert.rejects(again, { code: CODES.ERRORS.ERR_TOPIC_ALREADY_EXISTS })

  const seen = Object.assign([], { events: new EventEmitter() })
  const one = await member(seen)
  while (one.partitions.length !== 4) await once(one, 'rebalanced')
  const two = await member(seen)
  while (one.partitions.length !== 2) await once(one, 'rebalanced')
  while (two.partitions.length !== 2) await once(two, 'rebalanced')
  assert.deepEqual([...one.partitions, ...two.partitions].sort(), [0, 1, 2, 3])

  await produce()
  while (seen.length < 200) await once(seen.events, 'records')
  assert.deepEqual([...seen].sort((a, b) => a - b), range(0, 200), 'each committed record once, no aborted one')
  for (const consumer of [one, two]) {
    await consumer.stop()
    consumer.commitSync()
    for (const { partition, offset } of await ask(consumer, 'committed', null, PATIENCE)) {
      const { lowOffset, highOffset } = await ask(consumer, 'queryWatermarkOffsets', TOPIC, partition, PATIENCE)
      // A marker of a transaction has an offset too, and may be the last one.
      assert.ok(lowOffset === 0 && highOffset - offset <= 1, `partition ${partition}: ${offset} of ${highOffset}`)
    }
    await ask(consumer, 'disconnect')
  }

  await ask(admin, 'createPartitions', TOPIC, 6, PATIENCE)
  await ask(admin, 'deleteTopic', TOPIC, PATIENCE)
  admin.disconnect()
  console.log('node-rdkafka is content')
}

main().catch(error => {
  console.error(error)
  process.exit(1)
})
