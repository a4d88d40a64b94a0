/** Drawing around objects on the map: with Shift held, or after the button of the panel; also by touch. */
import { isShown } from './objects.js';

/** Points nearer to the last one than this add nothing, px. */
const STEP_PX = 4;

/**
 * Indices of the shown objects inside a closed line, by the even-odd rule. Pure.
 * @param {import('./objects.js').Objects} objects @param {[number, number][]} line Mercator @param {number} mask services
 * @returns {number[]}
 */
export function inside(objects, line, mask) {
  const xs = line.map(([x]) => x);
  const ys = line.map(([, y]) => y);
  const [west, east, north, south] = [Math.min(...xs), Math.max(...xs), Math.min(...ys), Math.max(...ys)];
  const found = [];
  for (let i = 0; i < objects.n; i++) {
    const x = objects.x[i];
    const y = objects.y[i];
    if (x < west || x > east || y < north || y > south || !isShown(objects.service[i], mask)) continue;
    let odd = false;
    for (let a = 0, b = line.length - 1; a < line.length; b = a++) {
      if (ys[a] > y !== ys[b] > y && x < ((xs[b] - xs[a]) * (y - ys[a])) / (ys[b] - ys[a]) + xs[a]) odd = !odd;
    }
    if (odd) found.push(i);
  }
  return found;
}

export class Lasso {
  /**
   * @param {HTMLElement} container @param {import('maplibre-gl').Map} map
   * @param {(line: [number, number][]) => void} onDrawn the closed line in px of the container
   * @param {AbortSignal} signal ends listening
   */
  constructor(container, map, onDrawn, signal) {
    this.container = container;
    this.map = map;
    this.onDrawn = onDrawn;
    this.armed = false;
    this.line = /** @type {[number, number][] | null} */ (null);
    map.boxZoom.disable(); // Shift belongs to the lasso
    this.svg = document.createElementNS('http://www.w3.org/2000/svg', 'svg');
    this.svg.classList.add('cm-lasso');
    this.shape = document.createElementNS('http://www.w3.org/2000/svg', 'polygon');
    this.svg.append(this.shape);
    container.append(this.svg);
    const area = map.getCanvasContainer();
    area.addEventListener('pointerdown', (event) => this.#down(event), { signal, capture: true });
    window.addEventListener('pointermove', (event) => this.#move(event), { signal });
    window.addEventListener('pointerup', () => this.#up(), { signal });
    window.addEventListener('pointercancel', () => this.#drop(), { signal });
    window.addEventListener('keydown', (event) => { if (event.key === 'Escape') this.#drop(); }, { signal });
  }

  /** The next line that is drawn chooses. @param {boolean} armed */
  arm(armed) {
    this.armed = armed;
    this.container.classList.toggle('cm-drawing', armed);
    this.#mayMove(!armed);
  }

  /** @param {boolean} may the map follow the finger */
  #mayMove(may) {
    for (const way of [this.map.dragPan, this.map.touchZoomRotate]) {
      if (may) way.enable();
      else way.disable();
    }
    if (may) this.map.touchZoomRotate.disableRotation();
  }

  /** @param {PointerEvent} event @returns {[number, number]} */
  #at(event) {
    const box = this.container.getBoundingClientRect();
    return [event.clientX - box.left, event.clientY - box.top];
  }

  /** @param {PointerEvent} event */
  #down(event) {
    if (event.button !== 0 || !event.isPrimary || !(this.armed || event.shiftKey)) return;
    event.preventDefault();
    this.#mayMove(false);
    this.line = [this.#at(event)];
  }

  /** @param {PointerEvent} event */
  #move(event) {
    if (!this.line) return;
    const point = this.#at(event);
    const last = this.line[this.line.length - 1];
    if (Math.hypot(point[0] - last[0], point[1] - last[1]) < STEP_PX) return;
    this.line.push(point);
    this.shape.setAttribute('points', this.line.map((p) => p.join(',')).join(' '));
  }

  #up() {
    const line = this.line;
    if (!line) return;
    this.#drop();
    if (line.length > 2) this.onDrawn(line);
  }

  #drop() {
    if (!this.line && !this.armed) return;
    this.line = null;
    this.shape.removeAttribute('points');
    this.arm(false);
    this.onEnd?.();
  }

  /** Called when drawing is over, whatever came of it. @type {(() => void) | undefined} */
  onEnd;
}
