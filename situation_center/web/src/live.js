/** The websocket to /map/live: asks a snapshot whenever it opens, comes back with growing pauses, notices silence. */
import { decode } from './wire.js';

const PAUSE_MS_FIRST = 500;
const PAUSE_MS_MAX = 15_000;
/** The server sends at least a heartbeat every 5 s; three missed ones are a lost connection even if TCP says nothing. */
const SILENCE_MS_MAX = 15_000;
export const SESSION_ENDED = 4001;

/** @typedef {{state: 'connecting' | 'live' | 'lost' | 'ended', asOf: number | null}} Status asOf: city clock, epoch ms */

export class LiveFeed {
  /**
   * @param {string} url ws:// or wss://
   * @param {(frame: import('./wire.js').Snapshot | import('./wire.js').Delta | import('./wire.js').Moved) => void} onFrame
   * @param {(status: Status) => void} onStatus
   */
  constructor(url, onFrame, onStatus) {
    this.url = url;
    this.onFrame = onFrame;
    this.onStatus = onStatus;
    this.heat = /** @type {string | null} */ (null);
    this.asOf = /** @type {number | null} */ (null);
    this.pause = PAUSE_MS_FIRST;
    this.closed = true;
  }

  open() {
    this.closed = false;
    this.onStatus({ state: this.asOf === null ? 'connecting' : 'lost', asOf: this.asOf });
    const socket = new WebSocket(this.url);
    socket.binaryType = 'arraybuffer';
    socket.onopen = () => this.ask();
    socket.onmessage = (event) => this.#receive(event.data);
    socket.onclose = (event) => this.#lost(socket, event.code);
    this.socket = socket;
    this.#watch();
  }

  /** A snapshot, with the values of the heat map's quantity. @param {string | null} [heat] */
  ask(heat = this.heat) {
    this.heat = heat;
    if (this.socket?.readyState === WebSocket.OPEN) this.socket.send(JSON.stringify({ ask: 'snapshot', heat }));
  }

  close() {
    this.closed = true;
    clearTimeout(this.timer);
    clearTimeout(this.silence);
    this.socket?.close();
    this.socket = undefined;
  }

  /** @param {ArrayBuffer} data */
  #receive(data) {
    this.#watch();
    try {
      const frame = decode(data);
      this.onFrame(frame);
      this.asOf = frame.time;
    } catch (error) {
      // A frame that does not fit leaves the picture doubtful: start again from a snapshot, on a new connection.
      console.error('map feed', error);
      this.socket?.close();
      return;
    }
    this.pause = PAUSE_MS_FIRST;
    this.onStatus({ state: 'live', asOf: this.asOf });
  }

  #watch() {
    clearTimeout(this.silence);
    const watched = this.socket;
    this.silence = setTimeout(() => {
      watched?.close();
      if (watched) this.#lost(watched, 0); // a dead peer never answers the close: do not wait for it
    }, SILENCE_MS_MAX);
  }

  /** @param {WebSocket} socket @param {number} code */
  #lost(socket, code) {
    if (this.closed || socket !== this.socket) return;
    this.socket = undefined;
    clearTimeout(this.silence);
    if (code === SESSION_ENDED) {
      this.closed = true;
      this.onStatus({ state: 'ended', asOf: this.asOf });
      return;
    }
    this.onStatus({ state: 'lost', asOf: this.asOf });
    // Spread the return of many screens after a restart.
    this.timer = setTimeout(() => this.open(), this.pause * (0.75 + Math.random() / 2));
    this.pause = Math.min(this.pause * 2, PAUSE_MS_MAX);
  }
}
