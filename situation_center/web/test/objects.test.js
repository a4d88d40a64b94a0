import assert from 'node:assert/strict';
import { test } from 'node:test';
import { cluster, extent, separable } from '../src/clusters.js';
import { Objects, isShown, latitude, longitude, mercatorX, mercatorY } from '../src/objects.js';

/** Places in px at `zoom`, so that the tests read as the screen does. */
const PX = 512 * 2 ** 12;

/** @param {[number, number, number, number?][]} rows x px, y px, state, service */
function city(rows) {
  const objects = new Objects();
  objects.load({
    kind: 'snapshot', time: 0, n: rows.length,
    objectId: Uint32Array.from(rows, (_, i) => 100 + i),
    lon: Float32Array.from(rows, () => 0), lat: Float32Array.from(rows, () => 0),
    state: Uint8Array.from(rows, (r) => r[2]), service: Uint8Array.from(rows, (r) => r[3] ?? 0),
    value: new Float32Array(rows.length),
  });
  objects.x = Float64Array.from(rows, (r) => r[0] / PX);
  objects.y = Float64Array.from(rows, (r) => r[1] / PX);
  return objects;
}

const ALL = 0xffffffff;
const groups = (objects, radius = 40) => cluster(objects.abnormal(ALL), objects, PX, radius);

test('Mercator and back', () => {
  assert.ok(Math.abs(longitude(mercatorX(37.77)) - 37.77) < 1e-9);
  assert.ok(Math.abs(latitude(mercatorY(44.72)) - 44.72) < 1e-9);
  assert.ok(mercatorY(45) < mercatorY(44), 'north is up');
});

test('a group stands where its worst member is and counts all', () => {
  const found = groups(city([[100, 100, 1], [110, 100, 4], [120, 100, 2], [500, 500, 3]]));
  assert.deepEqual(found.map((g) => [g.anchor, g.worst, g.members.length]), [[1, 4, 3], [3, 3, 1]]);
});

test('normal objects join no group; silent ones do, behind every alarm', () => {
  const found = groups(city([[100, 100, 0], [101, 100, 5], [102, 100, 1]]));
  assert.deepEqual(found, [{ anchor: 2, members: [2, 1], worst: 1 }]);
});

test('leaders are a radius apart and nobody is lost, seed 7', () => {
  let seed = 7;
  const random = () => (seed = (seed * 48271) % 2147483647) / 2147483647;
  const objects = city(Array.from({ length: 3000 }, () => [1000 * random(), 800 * random(), 1 + Math.floor(5 * random())]));
  const found = groups(objects);
  assert.deepEqual(found.flatMap((g) => g.members).sort((a, b) => a - b), Array.from({ length: 3000 }, (_, i) => i));
  for (const a of found) {
    for (const b of found) {
      if (a !== b) assert.ok(Math.hypot(objects.x[a.anchor] - objects.x[b.anchor], objects.y[a.anchor] - objects.y[b.anchor]) * PX >= 40);
    }
  }
});

test('members of one post are not separable, members of one street are', () => {
  const objects = city([[100, 100, 4], [100.01, 100, 4], [130, 100, 4]]);
  assert.equal(separable([0, 1], objects, PX * 128, 40), false);
  assert.equal(separable([0, 2], objects, PX * 128, 40), true);
  assert.deepEqual(extent([0, 2], objects).map((u) => Math.round(u * PX)), [100, 100, 130, 100]);
});

test('a hidden service is neither grouped nor hit; an object of no service always shows', () => {
  const objects = city([[100, 100, 4, 0], [100, 100, 4, 1], [100, 100, 4, 255]]);
  assert.deepEqual(objects.abnormal(0b10), [1, 2]);
  assert.deepEqual(objects.around(100 / PX, 100 / PX, 9 / PX, 0b01), [0, 2]);
  assert.equal(isShown(31, 0x80000000), true);
});

test('an alarm near the pointer is hit before a nearer normal object', () => {
  const objects = city([[100, 100, 0], [108, 100, 3], [100, 113, 4], [160, 100, 4]]);
  assert.deepEqual(objects.around(100 / PX, 100 / PX, 9 / PX, ALL), [2, 1, 0]);
});

test('a delta changes states and says whether it did', () => {
  const objects = city([[0, 0, 0], [0, 0, 0]]);
  const delta = (state, value) => ({ kind: 'delta', time: 0, n: 1, index: Uint32Array.of(1), state: Uint8Array.of(state), value: Float32Array.of(value) });
  assert.equal(objects.apply(delta(0, 5)), false);
  assert.equal(objects.apply(delta(4, 6)), true);
  assert.equal(objects.value[1], 6);
  assert.deepEqual(objects.tally(1), [{ count: 1, worst: 4 }]);
  assert.throws(() => objects.apply({ ...delta(4, 6), index: Uint32Array.of(2) }), RangeError);
});

test('a service shows its worst state and how many objects are in it', () => {
  const objects = city([[0, 0, 1, 0], [0, 0, 3, 0], [0, 0, 3, 0], [0, 0, 5, 1], [0, 0, 4, 255]]);
  assert.deepEqual(objects.tally(3), [{ count: 2, worst: 3 }, { count: 1, worst: 5 }, { count: 0, worst: 0 }]);
});
