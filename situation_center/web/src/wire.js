/**
 * The binary frames of the websocket /map/live, decoded without copying. Written by situation_center/map_feed.py.
 *
 * All numbers are little-endian. Each column is padded with zero bytes to a multiple of 4.
 *
 *   header, 16 bytes   f64 time   city clock of the newest data in the frame, epoch milliseconds
 *                      u32 n      records
 *                      u32 kind   1 snapshot, 0 delta, 2 moved
 *   snapshot columns   u32 object_id[n]  f32 lon[n]  f32 lat[n]  u8 state[n]  u8 service[n]  f32 value[n]
 *   delta columns      u32 index[n]  u8 state[n]  f32 value[n]
 *   moved columns      u32 index[n]  f32 lon[n]  f32 lat[n]
 *
 * state: 0 normal, 1 low, 2 medium, 3 high, 4 critical, 5 unknown (silent).
 * service: position in the `services` list given to mount(); 255 = of no service, always shown.
 * value: newest value of the quantity asked for as heat map, NaN where there is none.
 * index: position in the last snapshot of this same connection.
 *
 * Client to server, text: {"ask": "snapshot", "heat": <quantity name or null>}. The server sends nothing before the
 * first ask, answers each ask with a snapshot, then with deltas. A delta with n = 0 is a heartbeat: at least one
 * frame every 5 s; the client calls 15 s of silence a lost connection. A new object = a new snapshot;
 * vehicles come as moved.
 * Close code 4001 = the session has ended: the client does not come back.
 */

const HEADER_BYTES = 16;
const DELTA = 0;
const SNAPSHOT = 1;
const MOVED = 2;
/** Bytes of a record: of four-byte columns, of one-byte columns, which are padded. */
const SIZES = { [DELTA]: [8, 1], [SNAPSHOT]: [16, 2], [MOVED]: [12, 0] };
/** More objects than this is a broken frame, not a city. */
const RECORDS_MAX = 2_000_000;

/**
 * @typedef {{kind: 'snapshot', time: number, n: number, objectId: Uint32Array, lon: Float32Array,
 *   lat: Float32Array, state: Uint8Array, service: Uint8Array, value: Float32Array}} Snapshot
 * @typedef {{kind: 'delta', time: number, n: number, index: Uint32Array, state: Uint8Array,
 *   value: Float32Array}} Delta
 * @typedef {{kind: 'moved', time: number, n: number, index: Uint32Array, lon: Float32Array, lat: Float32Array}} Moved
 */

/** Reads columns one after another; typed arrays are views, so the machine must be little-endian (all browsers are). */
class Columns {
  /** @param {ArrayBuffer} buffer @param {number} n */
  constructor(buffer, n) {
    this.buffer = buffer;
    this.n = n;
    this.offset = HEADER_BYTES;
  }

  u32() { return new Uint32Array(this.buffer, this.#take(4 * this.n), this.n); }

  f32() { return new Float32Array(this.buffer, this.#take(4 * this.n), this.n); }

  u8() { return new Uint8Array(this.buffer, this.#take(this.n), this.n); }

  /** @param {number} bytes */
  #take(bytes) {
    const start = this.offset;
    this.offset += (bytes + 3) & ~3;
    return start;
  }
}

/**
 * @param {ArrayBuffer} buffer one frame
 * @returns {Snapshot | Delta | Moved}
 * @throws {RangeError} the length does not fit the header, or a kind nobody knows
 */
export function decode(buffer) {
  if (buffer.byteLength < HEADER_BYTES) throw new RangeError(`map frame of ${buffer.byteLength} bytes has no header`);
  const header = new DataView(buffer, 0, HEADER_BYTES);
  const time = header.getFloat64(0, true);
  const n = header.getUint32(8, true);
  const kind = header.getUint32(12, true);
  checkLength(buffer.byteLength, n, kind);
  const c = new Columns(buffer, n);
  if (kind === MOVED) return { kind: 'moved', time, n, index: c.u32(), lon: c.f32(), lat: c.f32() };
  return kind === DELTA
    ? { kind: 'delta', time, n, index: c.u32(), state: c.u8(), value: c.f32() }
    : { kind: 'snapshot', time, n, objectId: c.u32(), lon: c.f32(), lat: c.f32(), state: c.u8(), service: c.u8(), value: c.f32() };
}

/** @param {number} length @param {number} n @param {number} kind */
function checkLength(length, n, kind) {
  const size = SIZES[/** @type {0 | 1 | 2} */ (kind)];
  if (!size) throw new RangeError(`map frame of unknown kind ${kind}`);
  const wanted = HEADER_BYTES + size[0] * n + size[1] * ((n + 3) & ~3);
  if (n > RECORDS_MAX || length !== wanted) throw new RangeError(`map frame: ${length} bytes for ${n} records, ${wanted} expected`);
}
