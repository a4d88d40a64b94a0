// Buffer of Node.js, TextDecoder and TextEncoder, as far as codecs use them: ChirpStack offers Buffer to its codecs.
(function () {
  "use strict";
  const DIGITS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

  function utf8Bytes(text) {
    const out = [];
    for (const sign of text) {
      let code = sign.codePointAt(0);
      if (code >= 0xd800 && code <= 0xdfff) code = 0xfffd;
      if (code < 0x80) out.push(code);
      else if (code < 0x800) out.push(0xc0 | (code >> 6), 0x80 | (code & 63));
      else if (code < 0x10000) out.push(0xe0 | (code >> 12), 0x80 | ((code >> 6) & 63), 0x80 | (code & 63));
      else out.push(0xf0 | (code >> 18), 0x80 | ((code >> 12) & 63), 0x80 | ((code >> 6) & 63), 0x80 | (code & 63));
    }
    return out;
  }

  // Length of the sequence that begins with a byte, and the range of its second byte (Unicode table 3-7).
  function sequence(first) {
    if (first >= 0xc2 && first <= 0xdf) return [2, 0x80, 0xbf];
    if (first >= 0xe0 && first <= 0xef) return [3, first === 0xe0 ? 0xa0 : 0x80, first === 0xed ? 0x9f : 0xbf];
    if (first >= 0xf0 && first <= 0xf4) return [4, first === 0xf0 ? 0x90 : 0x80, first === 0xf4 ? 0x8f : 0xbf];
    return [1, 0, 0];
  }

  function utf8Text(bytes) {
    let out = "";
    for (let i = 0; i < bytes.length; ) {
      const first = bytes[i++];
      if (first < 0x80) {
        out += String.fromCharCode(first);
        continue;
      }
      let [size, low, high] = sequence(first);
      let code = first & (0x7f >> size);
      let left = size - 1;
      for (; left > 0 && i < bytes.length && bytes[i] >= low && bytes[i] <= high; left--) {
        code = (code << 6) | (bytes[i++] & 63);
        [low, high] = [0x80, 0xbf];
      }
      out += size > 1 && left === 0 ? String.fromCodePoint(code) : "\ufffd";
    }
    return out;
  }

  function base64Bytes(text) {
    const out = [];
    let bits = 0;
    let held = 0;
    for (const sign of String(text).replace(/-/g, "+").replace(/_/g, "/")) {
      const six = DIGITS.indexOf(sign);
      if (sign === "=") break;
      if (six < 0) continue;
      held = ((held << 6) | six) & 0xffffff;
      bits += 6;
      if (bits >= 8) {
        bits -= 8;
        out.push((held >> bits) & 255);
      }
    }
    return out;
  }

  function base64Text(bytes) {
    let out = "";
    for (let i = 0; i < bytes.length; i += 3) {
      const left = bytes.length - i;
      const three = (bytes[i] << 16) | ((bytes[i + 1] || 0) << 8) | (bytes[i + 2] || 0);
      out += DIGITS[three >> 18] + DIGITS[(three >> 12) & 63];
      out += (left > 1 ? DIGITS[(three >> 6) & 63] : "=") + (left > 2 ? DIGITS[three & 63] : "=");
    }
    return out;
  }

  function hexBytes(text) {
    const out = [];
    for (let i = 0; i + 1 < text.length; i += 2) {
      const pair = text.slice(i, i + 2);
      if (!/^[0-9a-fA-F]{2}$/.test(pair)) break;
      out.push(parseInt(pair, 16));
    }
    return out;
  }

  function bytesOf(text, encoding) {
    switch (String(encoding || "utf8").toLowerCase()) {
      case "hex":
        return hexBytes(text);
      case "base64":
      case "base64url":
        return base64Bytes(text);
      case "ascii":
      case "latin1":
      case "binary":
        return Array.from(text, (sign) => sign.charCodeAt(0) & 255);
      case "utf16le":
      case "utf-16le":
      case "ucs2":
        return Array.from({ length: text.length * 2 }, (_, i) => (text.charCodeAt(i >> 1) >> (i % 2 ? 8 : 0)) & 255);
    }
    return utf8Bytes(text);
  }

  function textOf(bytes, encoding) {
    switch (String(encoding || "utf8").toLowerCase()) {
      case "hex":
        return Array.from(bytes, (byte) => (byte < 16 ? "0" : "") + byte.toString(16)).join("");
      case "base64":
        return base64Text(bytes);
      case "base64url":
        return base64Text(bytes).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");
      case "ascii":
        return Array.from(bytes, (byte) => String.fromCharCode(byte & 127)).join("");
      case "latin1":
      case "binary":
        return Array.from(bytes, (byte) => String.fromCharCode(byte)).join("");
      case "utf16le":
      case "utf-16le":
      case "ucs2":
        return Array.from({ length: bytes.length >> 1 }, (_, i) =>
          String.fromCharCode(bytes[2 * i] | (bytes[2 * i + 1] << 8)),
        ).join("");
    }
    return utf8Text(bytes);
  }

  class NodeBuffer extends Uint8Array {
    static from(source, second, third) {
      if (typeof source === "string") return NodeBuffer.of(...bytesOf(source, second));
      if (source instanceof ArrayBuffer) return new NodeBuffer(source, second, third);
      if (source && source.type === "Buffer" && Array.isArray(source.data)) return NodeBuffer.from(source.data);
      return super.from(source);
    }
    static alloc(size, fill, encoding) {
      const made = new NodeBuffer(size);
      return fill === undefined ? made : made.fill(fill, encoding);
    }
    static allocUnsafe(size) {
      return new NodeBuffer(size);
    }
    static isBuffer(thing) {
      return thing instanceof NodeBuffer;
    }
    static isEncoding(name) {
      return /^(utf-?8|hex|base64(url)?|ascii|latin1|binary|utf-?16le|ucs-?2)$/i.test(name);
    }
    static byteLength(text, encoding) {
      return typeof text === "string" ? bytesOf(text, encoding).length : text.byteLength;
    }
    static concat(list, size) {
      const bytes = [];
      for (const one of list) bytes.push(...one);
      const made = NodeBuffer.alloc(size === undefined ? bytes.length : size);
      made.set(bytes.slice(0, made.length));
      return made;
    }
    static compare(a, b) {
      for (let i = 0; i < Math.min(a.length, b.length); i++) if (a[i] !== b[i]) return a[i] < b[i] ? -1 : 1;
      return Math.sign(a.length - b.length);
    }
    toString(encoding, start, end) {
      return textOf(super.subarray(start || 0, end === undefined ? this.length : end), encoding);
    }
    toLocaleString(encoding) {
      return this.toString(encoding);
    }
    toJSON() {
      return { type: "Buffer", data: Array.from(this) };
    }
    // In Node.js both give a view of the same memory.
    slice(start, end) {
      return super.subarray(start, end);
    }
    equals(other) {
      return NodeBuffer.compare(this, other) === 0;
    }
    compare(other) {
      return NodeBuffer.compare(this, other);
    }
    copy(target, at, start, end) {
      const part = super.subarray(start || 0, end === undefined ? this.length : end);
      const fits = part.subarray(0, Math.max(0, target.length - (at || 0)));
      target.set(fits, at || 0);
      return fits.length;
    }
    write(text, at, size, encoding) {
      if (typeof at === "string") [at, encoding] = [0, at];
      if (typeof size === "string") [size, encoding] = [undefined, size];
      const most = Math.min(size === undefined ? Infinity : size, this.length - (at || 0));
      const bytes = bytesOf(text, encoding).slice(0, most);
      this.set(bytes, at || 0);
      return bytes.length;
    }
    fill(value, start, end, encoding) {
      if (typeof value !== "string") return super.fill(value, start, end);
      const bytes = bytesOf(value, typeof start === "string" ? start : encoding);
      const from = typeof start === "number" ? start : 0;
      for (let i = from; i < (end === undefined ? this.length : end); i++) this[i] = bytes[(i - from) % bytes.length];
      return this;
    }
    indexOf(value, at, encoding) {
      if (typeof value === "number") return super.indexOf(value & 255, at);
      const wanted = typeof value === "string" ? bytesOf(value, encoding) : value;
      for (let i = at || 0; i + wanted.length <= this.length; i++) {
        if (Array.prototype.every.call(wanted, (byte, k) => this[i + k] === byte)) return i;
      }
      return -1;
    }
    includes(value, at, encoding) {
      return this.indexOf(value, at, encoding) >= 0;
    }
    swap16() {
      return this._swap(2);
    }
    swap32() {
      return this._swap(4);
    }
    swap64() {
      return this._swap(8);
    }
    _swap(size) {
      for (let i = 0; i + size <= this.length; i += size) super.subarray(i, i + size).reverse();
      return this;
    }
  }

  function outside(buffer, at, size) {
    if (!Number.isInteger(at)) throw new TypeError('The "offset" argument must be of type number');
    if (at < 0 || at + size > buffer.length) {
      const error = new RangeError(`The value of "offset" is out of range. It must be >= 0 and <= ${buffer.length - size}`);
      error.code = "ERR_OUT_OF_RANGE";
      throw error;
    }
  }

  const define = (name, value) => {
    Object.defineProperty(NodeBuffer.prototype, name, { value, writable: true, configurable: true });
    const short = name.replace("UInt", "Uint");
    if (short !== name) Object.defineProperty(NodeBuffer.prototype, short, { value, writable: true, configurable: true });
  };
  const view = (buffer) => new DataView(buffer.buffer, buffer.byteOffset, buffer.byteLength);
  const fixed = [
    ["UInt8", 1, "Uint8"], ["Int8", 1, "Int8"], ["UInt16", 2, "Uint16"], ["Int16", 2, "Int16"],
    ["UInt32", 4, "Uint32"], ["Int32", 4, "Int32"], ["Float", 4, "Float32"], ["Double", 8, "Float64"],
    ["BigUInt64", 8, "BigUint64"], ["BigInt64", 8, "BigInt64"],
  ];
  for (const [name, size, kind] of fixed) {
    for (const order of size === 1 ? [""] : ["LE", "BE"]) {
      define(`read${name}${order}`, function (at = 0) {
        outside(this, at, size);
        return view(this)[`get${kind}`](at, order === "LE");
      });
      define(`write${name}${order}`, function (value, at = 0) {
        outside(this, at, size);
        view(this)[`set${kind}`](at, value, order === "LE");
        return at + size;
      });
    }
  }
  // By arithmetic: a DataView for each number costs more than the rest of most codecs.
  const WHOLE = {
    UInt8: (buffer, at) => buffer[at],
    UInt16LE: (buffer, at) => buffer[at] | (buffer[at + 1] << 8),
    UInt16BE: (buffer, at) => (buffer[at] << 8) | buffer[at + 1],
    UInt32LE: (b, at) => (b[at] | (b[at + 1] << 8) | (b[at + 2] << 16) | (b[at + 3] << 24)) >>> 0,
    UInt32BE: (b, at) => ((b[at] << 24) | (b[at + 1] << 16) | (b[at + 2] << 8) | b[at + 3]) >>> 0,
  };
  for (const [name, unsigned] of Object.entries(WHOLE)) {
    const bits = parseInt(name.slice(4), 10);
    define(`read${name}`, function (at = 0) {
      outside(this, at, bits / 8);
      return unsigned(this, at);
    });
    define(`read${name.slice(1)}`, function (at = 0) {
      outside(this, at, bits / 8);
      return (unsigned(this, at) << (32 - bits)) >> (32 - bits);
    });
  }
  for (const order of ["LE", "BE"]) {
    const unsigned = (buffer, at, size) => {
      outside(buffer, at, size);
      let value = 0;
      for (let i = 0; i < size; i++) value = value * 256 + buffer[order === "BE" ? at + i : at + size - 1 - i];
      return value;
    };
    define(`readUInt${order}`, function (at, size) {
      return unsigned(this, at, size);
    });
    define(`readInt${order}`, function (at, size) {
      const value = unsigned(this, at, size);
      return value >= 2 ** (8 * size - 1) ? value - 2 ** (8 * size) : value;
    });
    const write = function (value, at, size) {
      outside(this, at, size);
      for (let i = 0; i < size; i++) {
        this[order === "LE" ? at + i : at + size - 1 - i] = Math.floor(value / 256 ** i) & 255;
      }
      return at + size;
    };
    define(`writeUInt${order}`, write);
    define(`writeInt${order}`, write);
  }

  // Old scripts call Buffer as a function, with or without new.
  function Buffer(source, second, third) {
    return typeof source === "number" ? NodeBuffer.alloc(source) : NodeBuffer.from(source, second, third);
  }
  for (const name of ["from", "of", "alloc", "allocUnsafe", "isBuffer", "isEncoding", "byteLength", "concat", "compare"]) {
    Buffer[name] = (...given) => NodeBuffer[name](...given);
  }
  Buffer.prototype = NodeBuffer.prototype;
  Object.defineProperty(NodeBuffer.prototype, "constructor", { value: NodeBuffer, writable: true, configurable: true });

  class TextDecoder {
    constructor(encoding = "utf-8") {
      this.encoding = String(encoding).toLowerCase();
    }
    decode(input) {
      const bytes = input === undefined ? [] : input instanceof ArrayBuffer ? new Uint8Array(input) : input;
      const text = textOf(bytes, /^(ascii|latin1|iso-8859-1|windows-1252)$/.test(this.encoding) ? "latin1" : this.encoding);
      return text.replace(/^\ufeff/, "");
    }
  }
  class TextEncoder {
    encode(text = "") {
      return new Uint8Array(utf8Bytes(String(text)));
    }
  }
  TextEncoder.prototype.encoding = "utf-8";
  for (const [name, value] of Object.entries({ Buffer, TextDecoder, TextEncoder })) {
    Object.defineProperty(globalThis, name, { value, writable: true, enumerable: false, configurable: true });
  }
})()
