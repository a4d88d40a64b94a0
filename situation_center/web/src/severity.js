/**
 * States of an object on the map: wire codes, colours (colour-blind safe), shapes. Used by every other module.
 * Colour never stands alone: each state has its own shape, the same in WebGL (shaders.js) and in HTML (symbol());
 * critical also bears a mark, for an octagon of a few pixels looks like a circle.
 */

/** Wire code -> name. */
export const STATES = ['normal', 'low', 'medium', 'high', 'critical', 'unknown'];

/** Wire code -> how bad: an unknown object is worse than a normal one, better than any alarm. */
export const RANK = Uint8Array.of(0, 2, 3, 4, 5, 1);

export const COLOURS = ['#8b949e', '#56B4E9', '#F0E442', '#E69F00', '#D55E00', '#9aa3ab'];

/** Wire codes from worst to best: the order of legends and lists. */
export const WORST_FIRST = [4, 3, 2, 1, 5, 0];

const SHAPES = [
  '<circle cx="12" cy="12" r="5"/>',
  '<circle cx="12" cy="12" r="9.5"/>',
  '<path d="M12 1 23 12 12 23 1 12Z"/>',
  '<path d="M12 1.5 23.3 21H.7Z"/>',
  '<path d="M7.6 1.3h8.8l6.3 6.3v8.8l-6.3 6.3H7.6l-6.3-6.3V7.6Z"/><path class="cm-mark" d="M12 6v7.5M12 16.6v1.4"/>',
  '<path d="M3 3h18v18H3Z"/><path class="cm-hatch" d="M3 12l9-9M3 21 21 3M12 21l9-9"/>',
];

/**
 * The symbol of a state as inline SVG. The text is ours alone: nothing from the network goes into it.
 * @param {number} state wire code 0..5
 * @param {number} size px
 * @returns {string}
 */
export function symbol(state, size) {
  return `<svg class="cm-symbol" data-state="${STATES[state]}" width="${size}" height="${size}" ` +
    `viewBox="0 0 24 24" aria-hidden="true">${SHAPES[state]}</svg>`;
}

/** @param {string} hex #rrggbb @returns {[number, number, number]} 0..1 */
export function rgb(hex) {
  const n = parseInt(hex.slice(1), 16);
  return [(n >> 16) / 255, ((n >> 8) & 255) / 255, (n & 255) / 255];
}
