import assert from 'node:assert/strict';
import { test } from 'node:test';
import { bounds, centre, labelPoints } from '../src/base.js';
import { pixels } from '../src/heat.js';
import { position, table } from '../src/scale.js';
import { countObjects, shortCount } from '../src/texts.js';

const luminance = (t, i) => 0.2126 * t[3 * i] + 0.7152 * t[3 * i + 1] + 0.0722 * t[3 * i + 2];

for (const name of ['viridis', 'cividis']) {
  test(`${name} grows lighter from end to end`, () => {
    const t = table(name);
    for (let i = 8; i < 256; i += 8) assert.ok(luminance(t, i) > luminance(t, i - 8));
  });
}

test('viridis has its published ends', () => {
  const t = table('viridis');
  assert.deepEqual([...t.slice(0, 3), ...t.slice(-3)], [0x44, 0x01, 0x54, 0xfd, 0xe7, 0x25]);
});

test('values beyond the range take its ends, missing ones take none', () => {
  assert.deepEqual([-5, 0, 50, 100, 500].map((v) => position(v, 0, 100)), [0, 0, 128, 255, 255]);
  assert.equal(position(3, 3, 3), 128);
  assert.ok(Number.isNaN(position(null, 0, 1)) && Number.isNaN(position(NaN, 0, 1)));
});

test('the less is known, the more transparent; where nothing is known, nothing is drawn', () => {
  const p = pixels({ west: 0, south: 0, east: 1, north: 1, width: 2, height: 2, values: [0, 10, 10, null], uncertainty: [0, 0.5, 1, 0], min: 0, max: 10, unit: '' }, 'viridis');
  assert.deepEqual([p[3], p[7], p[11], p[15]], [209, 105, 0, 0]);
  assert.deepEqual([...p.slice(0, 3)], [0x44, 0x01, 0x54]);
});

test('a label stands in the middle of the largest part', () => {
  const square = (x, y, a) => [[x, y], [x + a, y], [x + a, y + a], [x, y + a], [x, y]];
  assert.deepEqual(centre(square(37, 44, 2)), { lon: 38, lat: 45, area: 4 });
  const base = { type: 'FeatureCollection', features: [
    { type: 'Feature', properties: { class: 'district', name_ru: 'Центр' }, geometry: { type: 'MultiPolygon', coordinates: [[square(0, 0, 1)], [square(10, 10, 4)]] } },
    { type: 'Feature', properties: { class: 'building', name_ru: 'Дом' }, geometry: { type: 'Polygon', coordinates: [square(50, 50, 1)] } },
  ] };
  assert.deepEqual(labelPoints(base).features.map((f) => f.geometry.coordinates), [[12, 12]]);
  assert.deepEqual(bounds(base), [0, 0, 14, 14]);
  const sea = { type: 'Feature', properties: { class: 'water', name_ru: 'Бухта' }, geometry: { type: 'Polygon', coordinates: [square(10, 10, 1000)] } };
  assert.deepEqual(labelPoints({ type: 'FeatureCollection', features: [sea] }, [0, 0, 14, 14]).features[0].geometry.coordinates, [12, 12]);
  assert.equal(bounds({ type: 'FeatureCollection', features: [] }), null);
});

test('Russian plurals', () => {
  assert.deepEqual([1, 3, 5, 11, 21].map((n) => countObjects('ru', n)), ['1 объект', '3 объекта', '5 объектов', '11 объектов', '21 объект']);
  assert.equal(countObjects('en', 1), '1 object');
  assert.deepEqual([shortCount('ru', 12), shortCount('ru', 1234), shortCount('en', 1234)], ['12', '1,2т', '1.2k']);
});
