import assert from 'node:assert/strict';
import { test } from 'node:test';
import { inside } from '../src/lasso.js';
import { Objects } from '../src/objects.js';

/** @param {[number, number, number?][]} rows x, y, service */
function city(rows) {
  const objects = new Objects();
  const columns = { lon: new Float32Array(rows.length), lat: new Float32Array(rows.length), state: new Uint8Array(rows.length) };
  objects.load({
    kind: 'snapshot', time: 0, n: rows.length, objectId: Uint32Array.from(rows, (_, i) => i), value: new Float32Array(rows.length),
    service: Uint8Array.from(rows, (r) => r[2] ?? 0), ...columns,
  });
  objects.x = Float64Array.from(rows, (r) => r[0]);
  objects.y = Float64Array.from(rows, (r) => r[1]);
  return objects;
}

const ALL = 0xffffffff;
/** A U: what lies in its bay is outside. */
const U = [[0, 0], [1, 0], [1, 3], [2, 3], [2, 0], [3, 0], [3, 4], [0, 4]];

test('what lies in the line, and not in its bay', () => {
  assert.deepEqual(inside(city([[0.5, 1], [1.5, 1], [2.5, 1], [1.5, 3.5], [5, 1]]), U, ALL), [0, 2, 3]);
});

test('services that are switched off are not chosen', () => {
  assert.deepEqual(inside(city([[0.5, 1, 0], [0.5, 2, 1], [0.5, 3, 255]]), U, 0b01), [0, 2]);
});
