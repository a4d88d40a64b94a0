import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decode } from '../src/wire.js';

/** Written by hand with DataView, apart from the decoder's typed arrays, as the Python side would with struct. */
function frame(kind, time, n, columns) {
  const bytes = [];
  const put = (width, set) => {
    const view = new DataView(new ArrayBuffer(width));
    set(view);
    bytes.push(...new Uint8Array(view.buffer));
  };
  put(8, (v) => v.setFloat64(0, time, true));
  put(4, (v) => v.setUint32(0, n, true));
  put(4, (v) => v.setUint32(0, kind, true));
  for (const [type, values] of columns) {
    for (const value of values) {
      if (type === 'u8') bytes.push(value);
      if (type === 'u32') put(4, (v) => v.setUint32(0, value, true));
      if (type === 'f32') put(4, (v) => v.setFloat32(0, value, true));
    }
    while (bytes.length % 4) bytes.push(0);
  }
  return Uint8Array.from(bytes).buffer;
}

const SNAPSHOT = [['u32', [7, 70000, 9]], ['f32', [37.75, 37.5, 37.25]], ['f32', [44.75, 44.5, 44.25]], ['u8', [0, 4, 5]], ['u8', [1, 255, 3]], ['f32', [12.5, NaN, -1]]];

test('a snapshot whose u8 columns need padding', () => {
  const s = decode(frame(1, 1_790_000_000_123.5, 3, SNAPSHOT));
  assert.equal(s.kind, 'snapshot');
  assert.equal(s.time, 1_790_000_000_123.5);
  assert.deepEqual([...s.objectId], [7, 70000, 9]);
  assert.deepEqual([...s.lon], [37.75, 37.5, 37.25]);
  assert.deepEqual([...s.lat], [44.75, 44.5, 44.25]);
  assert.deepEqual([...s.state], [0, 4, 5]);
  assert.deepEqual([...s.service], [1, 255, 3]);
  assert.deepEqual([...s.value], [12.5, NaN, -1]);
});

test('a delta', () => {
  const d = decode(frame(0, 5, 2, [['u32', [1, 99999]], ['u8', [3, 0]], ['f32', [NaN, 2.5]]]));
  assert.equal(d.kind, 'delta');
  assert.deepEqual([...d.index], [1, 99999]);
  assert.deepEqual([...d.state], [3, 0]);
  assert.deepEqual([...d.value], [NaN, 2.5]);
});

test('what has moved', () => {
  const m = decode(frame(2, 5, 2, [['u32', [1, 3]], ['f32', [37.75, 37.5]], ['f32', [44.75, 44.5]]]));
  assert.equal(m.kind, 'moved');
  assert.deepEqual([...m.index], [1, 3]);
  assert.deepEqual([...m.lon], [37.75, 37.5]);
  assert.deepEqual([...m.lat], [44.75, 44.5]);
});

test('a heartbeat is a delta of nothing', () => {
  assert.equal(decode(frame(0, 5, 0, [])).n, 0);
});

test('an empty city is a snapshot of nothing', () => {
  assert.equal(decode(frame(1, 5, 0, [])).kind, 'snapshot');
});

test('what does not fit its header is refused', () => {
  const whole = frame(1, 5, 3, SNAPSHOT);
  assert.throws(() => decode(new ArrayBuffer(8)), RangeError);
  assert.throws(() => decode(whole.slice(0, whole.byteLength - 4)), /expected/);
  assert.throws(() => decode(frame(7, 5, 0, [])), /kind 7/);
  assert.throws(() => decode(frame(0, 5, 4_000_000_000, [])), RangeError);
});
