/**
 * The two map styles, dark and light: one list of layers, two palettes. Everything is grey, so that colour on the map
 * always means "not normal" (or the heat map the operator switched on). No glyphs, no sprite, no outside source.
 */
import { FAMILY, fontFaces } from './fonts.js';

/** @typedef {'dark' | 'light'} Theme @typedef {'ru' | 'en'} Language */

export const PALETTES = {
  dark: {
    land: '#191d21', water: '#0e1215', shore: '#2c343a', green: '#1c2124', port: '#20252a', building: '#262c31', buildingLine: '#2f363c',
    street: '#38414a', streetMain: '#48535d', pipe: '#4f626e', feeder: '#625d4e', heat_main: '#665452', district: '#57636d',
    text: '#a3adb6', textMuted: '#7b858e', textWater: '#5c6a75', halo: '#14181b',
    points: { quiet: '#8f99a3', quietOpacity: 0.8, outline: '#0b0e10' },
  },
  light: {
    land: '#f1f2f3', water: '#d3d9de', shore: '#b4bdc4', green: '#e6e9e8', port: '#e3e6e9', building: '#dcdfe3', buildingLine: '#ccd1d6',
    street: '#ffffff', streetMain: '#ffffff', pipe: '#8fa2b0', feeder: '#aba38c', heat_main: '#b09d98', district: '#98a2ab',
    text: '#3d464e', textMuted: '#626c75', textWater: '#6b7c89', halo: '#f6f7f8',
    points: { quiet: '#68727c', quietOpacity: 0.75, outline: '#20262b' },
  },
};

const NETWORKS = { pipe: 'water', feeder: 'power', heat_main: 'heat' };
const DASHES = { pipe: undefined, feeder: [4, 2], heat_main: [1.2, 1.6] };
/** Kinds of streets, ours and OpenStreetMap's. */
const MAIN = ['main', 'motorway', 'trunk', 'primary', 'secondary'];
const MINOR = ['cross', 'lane', 'service', 'footway', 'path'];
const EMPTY = { type: /** @type {'FeatureCollection'} */ ('FeatureCollection'), features: [] };

/** @param {string[]} classes */
const ofClass = (...classes) => /** @type {any} */ (['in', ['get', 'class'], ['literal', classes]]);

/** @param {any[]} stops zoom, px, zoom, px ... */
const byZoom = (...stops) => /** @type {any} */ (['interpolate', ['exponential', 1.5], ['zoom'], ...stops]);

/** @param {Language} language */
export const nameField = (language) => /** @type {any} */ (['coalesce', ['get', `name_${language}`], ['get', 'name_ru'], '']);

/**
 * @param {{theme: Theme, language: Language, vendor: string}} options vendor: absolute address of /vendor/
 * @returns {import('maplibre-gl').StyleSpecification} sources `base` and `labels` are empty until base.js fills them
 */
export function style({ theme, language, vendor }) {
  const p = PALETTES[theme];
  return /** @type {any} */ ({
    version: 8,
    name: `citynet ${theme}`,
    'font-faces': fontFaces(vendor),
    sources: {
      base: { type: 'geojson', data: EMPTY, tolerance: 0.2 },
      labels: { type: 'geojson', data: EMPTY },
    },
    layers: [...grounds(p), ...streets(p), ...networks(p), ...labels(p, language)],
  });
}

/** @param {typeof PALETTES.dark} p */
function grounds(p) {
  return [
    { id: 'land', type: 'background', paint: { 'background-color': p.land } },
    fill('water', ['water'], { 'fill-color': p.water }),
    fill('ground', ['land'], { 'fill-color': p.land }),
    fill('green', ['park', 'green'], { 'fill-color': p.green }),
    fill('port', ['port'], { 'fill-color': p.port }),
    line('shore', ['water', 'coast'], { 'line-color': p.shore, 'line-width': 1 }),
    line('port-edge', ['port'], { 'line-color': p.shore, 'line-width': 1 }),
    { ...fill('building', ['building'], { 'fill-color': p.building, 'fill-outline-color': p.buildingLine }), minzoom: 12.5 },
  ];
}

/** @param {typeof PALETTES.dark} p */
function streets(p) {
  const ofKind = (/** @type {any} */ main, /** @type {any} */ minor, /** @type {any} */ other) => ['match', ['get', 'kind'], MAIN, main, MINOR, minor, other];
  const colour = ofKind(p.streetMain, p.street, p.street);
  const width = (/** @type {number} */ px) => ofKind(1.9 * px, 0.7 * px, px);
  return [
    { ...line('street', ['street'], { 'line-color': colour, 'line-width': byZoom(10, width(0.6), 14, width(2), 18, width(11)) }),
      layout: { 'line-cap': 'round', 'line-join': 'round' } },
  ];
}

/** @param {typeof PALETTES.dark} p */
function networks(p) {
  const wide = byZoom(11, 0.7, 15, 1.8, 18, 4);
  const lines = Object.keys(NETWORKS).map((name) => {
    const key = /** @type {keyof typeof NETWORKS} */ (name);
    const dash = DASHES[key];
    return line(name, [name], { 'line-color': p[key], 'line-width': wide, ...(dash ? { 'line-dasharray': dash } : {}) });
  });
  return [...lines, line('district', ['district'], { 'line-color': p.district, 'line-width': 1.2, 'line-dasharray': [5, 2, 1, 2] })];
}

/** @param {typeof PALETTES.dark} p @param {Language} language */
function labels(p, language) {
  const text = (/** @type {number} */ weight, /** @type {any} */ size) => ({ 'text-field': nameField(language), 'text-font': [`${FAMILY} ${weight}`], 'text-size': size });
  const halo = { 'text-halo-color': p.halo, 'text-halo-width': 1.6 };
  return [
    { id: 'street-name', type: 'symbol', source: 'base', minzoom: 13.5, filter: ofClass('street'),
      layout: { ...text(400, byZoom(13, 10, 18, 14)), 'symbol-placement': 'line', 'symbol-spacing': 420, 'text-max-angle': 30 },
      paint: { ...halo, 'text-color': p.textMuted } },
    { id: 'water-name', type: 'symbol', source: 'labels', filter: ofClass('water', 'port'),
      layout: { ...text(400, byZoom(10, 12, 15, 16)), 'text-letter-spacing': 0.12, 'text-max-width': 8 },
      paint: { ...halo, 'text-halo-color': 'rgba(0, 0, 0, 0)', 'text-color': p.textWater } },
    { id: 'district-name', type: 'symbol', source: 'labels', maxzoom: 16, filter: ofClass('district'),
      layout: { ...text(600, byZoom(10, 11, 15, 17)), 'text-max-width': 9, 'symbol-sort-key': 0 },
      paint: { ...halo, 'text-color': p.text } },
  ];
}

/** @param {string} id @param {string[]} classes @param {object} paint */
const fill = (id, classes, paint) => ({ id, type: 'fill', source: 'base', filter: ['all', ofClass(...classes), ['in', ['geometry-type'], ['literal', ['Polygon', 'MultiPolygon']]]], paint });

/** @param {string} id @param {string[]} classes @param {object} paint */
const line = (id, classes, paint) => ({ id, type: 'line', source: 'base', filter: ofClass(...classes), paint });

/**
 * Repaints a living map in another theme or language; a new style would throw the custom layer and the data away.
 * @param {import('maplibre-gl').Map} map @param {{theme: Theme, language: Language, vendor: string}} options
 */
export function restyle(map, options) {
  for (const layer of /** @type {any[]} */ (style(options).layers)) {
    for (const [name, value] of Object.entries(layer.paint)) map.setPaintProperty(layer.id, /** @type {any} */ (name), value);
    if (layer.type === 'symbol') map.setLayoutProperty(layer.id, 'text-field', nameField(options.language));
  }
}

/** Pipes go with water, feeders with power, heat mains with heat. @param {import('maplibre-gl').Map} map @param {Set<string>} services */
export function showNetworks(map, services) {
  for (const [layer, service] of Object.entries(NETWORKS)) {
    map.setLayoutProperty(layer, 'visibility', services.has(service) ? 'visible' : 'none');
  }
}
