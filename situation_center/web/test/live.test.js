import assert from 'node:assert/strict';
import { afterEach, beforeEach, mock, test } from 'node:test';
import { LiveFeed } from '../src/live.js';

/** The browser's WebSocket as far as LiveFeed uses it; the test plays the server. */
class Socket {
  static OPEN = 1;
  static all = [];
  sent = [];
  readyState = 0;
  constructor() { Socket.all.push(this); }
  send(text) { this.sent.push(JSON.parse(text)); }
  accept() { this.readyState = 1; this.onopen(); }
  close(code = 1006) { this.readyState = 3; this.onclose({ code }); }
}

const heartbeat = (time) => {
  const view = new DataView(new ArrayBuffer(16));
  view.setFloat64(0, time, true);
  return { data: view.buffer };
};

let seen;
let feed;

beforeEach(() => {
  mock.timers.enable({ apis: ['setTimeout'] });
  globalThis.WebSocket = Socket;
  Socket.all = [];
  seen = [];
  feed = new LiveFeed('ws://here/map/live', () => {}, (status) => seen.push(status));
  feed.open();
});

afterEach(() => {
  feed.close();
  mock.timers.reset();
});

const last = () => Socket.all[Socket.all.length - 1];

test('asks for a snapshot on every opening, with the chosen heat map', () => {
  last().accept();
  feed.ask('air_pm25');
  last().close();
  mock.timers.tick(1000);
  last().accept();
  assert.deepEqual(Socket.all[0].sent, [{ ask: 'snapshot', heat: null }, { ask: 'snapshot', heat: 'air_pm25' }]);
  assert.deepEqual(Socket.all[1].sent, [{ ask: 'snapshot', heat: 'air_pm25' }]);
});

test('a lost connection is said with the time of the newest data, then tried again with growing pauses', () => {
  last().accept();
  last().onmessage(heartbeat(1234));
  last().close();
  assert.deepEqual(seen.at(-1), { state: 'lost', asOf: 1234 });
  for (const pause of [1000, 2000, 4000]) {
    const before = Socket.all.length;
    mock.timers.tick(pause);
    assert.equal(Socket.all.length, before + 1);
    last().close();
  }
});

test('silence is a lost connection', () => {
  last().accept();
  last().onmessage(heartbeat(1));
  mock.timers.tick(15_000);
  assert.equal(seen.at(-1).state, 'lost');
});

test('a broken frame starts over from a snapshot', (t) => {
  t.mock.method(console, 'error', () => {});
  last().accept();
  last().onmessage({ data: new ArrayBuffer(3) });
  assert.equal(seen.at(-1).state, 'lost');
  mock.timers.tick(1000);
  assert.equal(Socket.all.length, 2);
});

test('an ended session is not tried again', () => {
  last().accept();
  last().close(4001);
  mock.timers.tick(60_000);
  assert.equal(seen.at(-1).state, 'ended');
  assert.equal(Socket.all.length, 1);
});
