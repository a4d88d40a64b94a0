/** Colour scales for measured values: perceptually even, readable by colour-blind people. Used by heat.js and points.js. */
import { rgb } from './severity.js';

const ANCHORS = {
  viridis: '440154 472d7b 3b528b 2c728e 21918c 28ae80 5ec962 addc30 fde725',
  cividis: '00204c 002a66 00346e 273f6c 3c4a6b 4c556b 5b5f6d 686a70 757575 838178 928c78 a19876 b0a572 ' +
    'c0b16d d1bf66 e1cc5c f3db4f ffe945',
};

/** @typedef {keyof typeof ANCHORS} ScaleName */

/**
 * @param {ScaleName} name
 * @returns {Uint8Array} 256 colours, RGB bytes, low to high
 */
export function table(name) {
  const stops = ANCHORS[name].split(' ').map((hex) => rgb(`#${hex}`));
  const out = new Uint8Array(256 * 3);
  for (let i = 0; i < 256; i++) {
    const at = (i / 255) * (stops.length - 1);
    const k = Math.min(Math.floor(at), stops.length - 2);
    for (let c = 0; c < 3; c++) {
      out[i * 3 + c] = Math.round(255 * (stops[k][c] + (at - k) * (stops[k + 1][c] - stops[k][c])));
    }
  }
  return out;
}

/**
 * Position of a value on the scale, 0..255; values outside the range take its ends. NaN for no value.
 * @param {number | null} value @param {number} min @param {number} max
 */
export function position(value, min, max) {
  if (value === null || Number.isNaN(value)) return NaN;
  const share = max > min ? (value - min) / (max - min) : 0.5;
  return Math.round(255 * Math.min(1, Math.max(0, share)));
}

/** @param {ScaleName} name @returns {string} CSS gradient, left to right */
export function gradient(name) {
  return `linear-gradient(to right, ${ANCHORS[name].split(' ').map((hex) => `#${hex}`).join(', ')})`;
}
