/**
 * The live objects as a MapLibre custom layer: 100,000 WebGL points, two passes (quiet first, then the abnormal by
 * index, worst last). A GeoJSON source takes a second for what takes this layer a millisecond.
 */
import { RANK, COLOURS, rgb } from './severity.js';
import { compile } from './shaders.js';
import { table, position } from './scale.js';

/** Up to this many objects the quiet dots may be bigger: there is room for them. */
const FEW_OBJECTS = 6000;
/** Beyond this many, quiet dots fade, or seen from afar they would be one bright carpet. */
const MANY_OBJECTS = 20_000;
const MARK_PX = 19;
const STATION_PX = 11;

/** @typedef {{quiet: string, quietOpacity: number, outline: string}} PointColours */
/** @typedef {{min: number, max: number, scale: import('./scale.js').ScaleName} | null} HeatRange */

/** MapLibre's CustomLayerInterface. */
export class PointsLayer {
  /** @param {import('./objects.js').Objects} objects @param {PointColours} colours */
  constructor(objects, colours) {
    this.id = 'live-objects';
    this.type = /** @type {'custom'} */ ('custom');
    this.objects = objects;
    this.colours = colours;
    this.services = 0xffffffff;
    this.heat = /** @type {HeatRange} */ (null);
    this.gathered = /** @type {Set<number>} */ (new Set());
    this.origin = [0.5, 0.5];
    this.place = new Float32Array(0);
    this.look = new Uint8Array(0);
    this.worstLast = new Uint32Array(0);
    this.dirty = { place: true, look: true, scale: true };
  }

  /** A new snapshot. Places are kept relative to the first object: float32 is then exact to a millimetre. */
  reload() {
    const { n, x, y } = this.objects;
    this.origin = n ? [x[0], y[0]] : [0.5, 0.5];
    this.place = new Float32Array(2 * n);
    for (let i = 0; i < n; i++) {
      this.place[2 * i] = x[i] - this.origin[0];
      this.place[2 * i + 1] = y[i] - this.origin[1];
    }
    this.look = new Uint8Array(0);
    this.dirty.place = true;
    this.gathered = new Set();
    this.refresh();
  }

  /** These objects are elsewhere now. @param {Uint32Array} indices */
  moved(indices) {
    const { x, y } = this.objects;
    for (const i of indices) {
      this.place[2 * i] = x[i] - this.origin[0];
      this.place[2 * i + 1] = y[i] - this.origin[1];
    }
    this.dirty.place = true;
    this.map?.triggerRepaint();
  }

  /** States, values, clusters or the heat scale changed. Most values change no pixel: then nothing is drawn. */
  refresh() {
    const { n, state, service, value } = this.objects;
    const worstLast = [];
    const look = new Uint8Array(4 * n);
    for (let i = 0; i < n; i++) {
      look[4 * i] = state[i];
      look[4 * i + 1] = service[i];
      look[4 * i + 3] = this.#heatColour(value[i]);
      if (state[i] !== 0) worstLast.push(i);
    }
    for (const i of this.gathered) look[4 * i + 2] = 1;
    if (!this.dirty.scale && look.length === this.look.length && look.every((byte, k) => byte === this.look[k])) return;
    this.look = look;
    this.worstLast = Uint32Array.from(worstLast.sort((a, b) => RANK[state[a]] - RANK[state[b]] || b - a));
    this.dirty.look = true;
    this.map?.triggerRepaint();
  }

  /** @param {number} value @returns {number} 0 none, 1..255 */
  #heatColour(value) {
    if (!this.heat || Number.isNaN(value)) return 0;
    return Math.max(1, position(value, this.heat.min, this.heat.max));
  }

  /** @param {HeatRange} heat */
  setHeat(heat) {
    this.heat = heat;
    this.dirty.scale = true;
    this.refresh();
  }

  /** @param {import('maplibre-gl').Map} map @param {WebGL2RenderingContext} gl */
  onAdd(map, gl) {
    this.map = map;
    this.program = compile(gl);
    this.buffers = { place: gl.createBuffer(), look: gl.createBuffer(), worstLast: gl.createBuffer() };
    this.texture = gl.createTexture();
    this.array = gl.createVertexArray();
    gl.bindVertexArray(this.array);
    gl.bindBuffer(gl.ARRAY_BUFFER, this.buffers.place);
    gl.enableVertexAttribArray(0);
    gl.vertexAttribPointer(0, 2, gl.FLOAT, false, 8, 0);
    gl.bindBuffer(gl.ARRAY_BUFFER, this.buffers.look);
    gl.enableVertexAttribArray(1);
    gl.vertexAttribIPointer(1, 4, gl.UNSIGNED_BYTE, 4, 0);
    gl.bindBuffer(gl.ELEMENT_ARRAY_BUFFER, this.buffers.worstLast);
    gl.bindVertexArray(null);
    this.dirty = { place: true, look: true, scale: true };
  }

  /** @param {import('maplibre-gl').Map} _map @param {WebGL2RenderingContext} gl */
  onRemove(_map, gl) {
    gl.deleteProgram(this.program ?? null);
    Object.values(this.buffers ?? {}).forEach((buffer) => gl.deleteBuffer(buffer));
    gl.deleteTexture(this.texture ?? null);
    gl.deleteVertexArray(this.array ?? null);
    this.map = undefined;
  }

  /** @param {WebGL2RenderingContext} gl @param {import('maplibre-gl').CustomRenderMethodInput} args */
  render(gl, args) {
    if (!this.program || !this.array || !this.objects.n) return;
    gl.useProgram(this.program);
    gl.bindVertexArray(this.array);
    this.#upload(gl);
    this.#uniforms(gl, this.program, args.defaultProjectionData.mainMatrix);
    const pass = gl.getUniformLocation(this.program, 'u_abnormal');
    gl.uniform1i(pass, 0);
    gl.drawArrays(gl.POINTS, 0, this.objects.n);
    gl.uniform1i(pass, 1);
    gl.drawElements(gl.POINTS, this.worstLast.length, gl.UNSIGNED_INT, 0);
    gl.bindVertexArray(null);
  }

  /** @param {WebGL2RenderingContext} gl */
  #upload(gl) {
    const { buffers, dirty } = this;
    if (!buffers) return;
    if (dirty.place) {
      gl.bindBuffer(gl.ARRAY_BUFFER, buffers.place);
      gl.bufferData(gl.ARRAY_BUFFER, this.place, gl.STATIC_DRAW);
    }
    if (dirty.look) {
      gl.bindBuffer(gl.ARRAY_BUFFER, buffers.look);
      gl.bufferData(gl.ARRAY_BUFFER, this.look, gl.DYNAMIC_DRAW);
      gl.bufferData(gl.ELEMENT_ARRAY_BUFFER, this.worstLast, gl.DYNAMIC_DRAW);
    }
    gl.activeTexture(gl.TEXTURE0);
    gl.bindTexture(gl.TEXTURE_2D, this.texture ?? null);
    if (dirty.scale) this.#uploadScale(gl);
    this.dirty = { place: false, look: false, scale: false };
  }

  /** @param {WebGL2RenderingContext} gl */
  #uploadScale(gl) {
    gl.pixelStorei(gl.UNPACK_ALIGNMENT, 1);
    gl.pixelStorei(gl.UNPACK_FLIP_Y_WEBGL, false);
    gl.pixelStorei(gl.UNPACK_PREMULTIPLY_ALPHA_WEBGL, false);
    gl.texImage2D(gl.TEXTURE_2D, 0, gl.RGB, 256, 1, 0, gl.RGB, gl.UNSIGNED_BYTE, table(this.heat?.scale ?? 'viridis'));
    gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_MIN_FILTER, gl.NEAREST);
    gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_MAG_FILTER, gl.NEAREST);
    gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_WRAP_S, gl.CLAMP_TO_EDGE);
    gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_WRAP_T, gl.CLAMP_TO_EDGE);
  }

  /** @param {WebGL2RenderingContext} gl @param {WebGLProgram} program @param {ArrayLike<number>} matrix */
  #uniforms(gl, program, matrix) {
    /** @param {string} name */
    const at = (name) => gl.getUniformLocation(program, name);
    const ratio = window.devicePixelRatio || 1;
    gl.uniformMatrix4fv(at('u_matrix'), false, shifted(matrix, this.origin));
    gl.uniform1ui(at('u_services'), this.services >>> 0);
    gl.uniform1f(at('u_dot'), ratio * dotSize(this.map?.getZoom() ?? 12, this.objects.n));
    gl.uniform1f(at('u_mark'), ratio * MARK_PX);
    gl.uniform1f(at('u_station'), ratio * STATION_PX);
    gl.uniform1f(at('u_line'), ratio * 1.4);
    gl.uniform3fv(at('u_colours'), COLOURS.flatMap(rgb));
    gl.uniform4f(at('u_quiet'), ...rgb(this.colours.quiet), this.colours.quietOpacity * (this.objects.n > MANY_OBJECTS ? 0.5 : 1));
    gl.uniform3f(at('u_outline'), ...rgb(this.colours.outline));
    gl.uniform1i(at('u_scale'), 0);
  }
}

/** Small when the city is seen whole, so that quiet objects stay quiet. @param {number} zoom @param {number} n */
function dotSize(zoom, n) {
  const smallest = n > FEW_OBJECTS ? 1.8 : 3.2;
  return Math.min(9, smallest + Math.max(0, zoom - 12) * 1.1);
}

/** matrix x translation(origin), in float64 before it becomes float32. @param {ArrayLike<number>} m @param {number[]} origin */
function shifted(m, [x, y]) {
  const out = Float32Array.from(m);
  for (let row = 0; row < 4; row++) out[12 + row] = m[row] * x + m[4 + row] * y + m[12 + row];
  return out;
}
