// What a codec finds around itself, and the one function through which the worker calls it.
// Evaluated in a new context before any script; gives boot(make, frozen), which gives call(..). Decision 0020.
(function () {
  "use strict";
  const { parse, stringify } = JSON;
  const { ownKeys, deleteProperty, construct } = Reflect;
  const { freeze, keys, defineProperty, getOwnPropertyDescriptor, getPrototypeOf } = Object;
  const { isArray, from } = Array;
  const isView = ArrayBuffer.isView;
  const RealDate = Date;
  const realNow = Date.now;
  const world = globalThis;

  // ------------------------------------------------------------ clock and chance
  // A codec's clock shows when its frame was received: a frame decoded again next year gives the same values.
  let now = 0;
  let dice = 1;
  function Clock(...given) {
    if (!new.target) return new RealDate(now).toString();
    return given.length ? construct(RealDate, given, new.target) : construct(RealDate, [now], new.target);
  }
  defineProperty(Clock, "prototype", { value: RealDate.prototype, writable: false });
  defineProperty(Clock, "name", { value: "Date" });
  defineProperty(Clock, "length", { value: 7 });
  Clock.UTC = RealDate.UTC;
  Clock.parse = RealDate.parse;
  Clock.now = () => now;
  defineProperty(RealDate.prototype, "constructor", { value: Clock, writable: true, configurable: true });
  world.Date = Clock;
  // Elsewhere "1/2/2024, 5:04:04 AM" is what a script gets for a date; QuickJS fills up with zeros.
  for (const name of ["toLocaleString", "toLocaleDateString", "toLocaleTimeString"]) {
    const padded = RealDate.prototype[name];
    RealDate.prototype[name] = function (...given) {
      return padded.apply(this, given).replace(/(^|\/|, )0(?=\d[/:])/g, "$1");
    };
  }
  Math.random = () => {
    dice = (Math.imul(dice, 1664525) + 1013904223) >>> 0;
    return dice / 4294967296;
  };

  // ------------------------------------------------------------ what codecs of other networks count on
  const quiet = () => undefined;
  world.console = { log: quiet, info: quiet, warn: quiet, error: quiet, debug: quiet, trace: quiet };
  defineProperty(BigInt.prototype, "toJSON", {
    value() {
      const plain = Number(this);
      return Number.isSafeInteger(plain) ? plain : this.toString();
    },
    writable: true,
    configurable: true,
  });
  // Names that vendors take for variables of their own, and what makes a call depend on the machine.
  for (const name of ["performance", "navigator", "SharedArrayBuffer", "Atomics", "WeakRef", "FinalizationRegistry"]) {
    deleteProperty(world, name);
  }

  // ------------------------------------------------------------ freezing
  // Left as they are for speed: nobody gives a list of his own a field of this name.
  const HOT = new Set(["push", "pop", "shift", "slice", "splice", "join", "map", "forEach", "concat", "indexOf", "length"]);

  // Frozen prototypes would also stop `mine.toString = ..` on a script's own objects: setters let that through.
  function allowOverriding(owner) {
    for (const key of ownKeys(owner)) {
      const found = getOwnPropertyDescriptor(owner, key);
      if (!("value" in found) || !found.configurable || HOT.has(key)) continue;
      const original = found.value;
      defineProperty(owner, key, {
        get: () => original,
        set(value) {
          if (this === owner) throw new TypeError(`${String(key)} is read-only`);
          defineProperty(this, key, { value, writable: true, enumerable: true, configurable: true });
        },
        enumerable: found.enumerable,
        configurable: false,
      });
    }
  }

  function roots() {
    const unnamed = [function* () {}, async function () {}, async function* () {}];
    const iterators = [
      [].values(), ""[Symbol.iterator](), new Map().entries(), new Set().entries(), "".matchAll(/x/g), [].values().map(quiet),
    ];
    return [...unnamed, ...unnamed.map((f) => f.prototype), ...iterators].filter(Boolean);
  }

  function freezeAll(start) {
    const seen = new Set([world]);
    const todo = [...start, ...roots()];
    for (const key of ownKeys(world)) todo.push(world[key]);
    while (todo.length) {
      const item = todo.pop();
      if (item === null || (typeof item !== "object" && typeof item !== "function") || seen.has(item)) continue;
      seen.add(item);
      todo.push(getPrototypeOf(item));
      for (const key of ownKeys(item)) {
        const found = getOwnPropertyDescriptor(item, key);
        if ("value" in found) todo.push(found.value);
        else todo.push(found.get, found.set);
      }
      if (!isView(item)) freeze(item);
    }
  }

  // Text that is run as code could leave bindings that nobody can remove: a script that needs it runs in the slow way.
  function noEvaluation() {
    const refuse = () => {
      throw new EvalError("no code from text");
    };
    for (const maker of [function () {}, function* () {}, async function () {}, async function* () {}]) {
      defineProperty(getPrototypeOf(maker), "constructor", { value: refuse });
    }
    refuse.prototype = Function.prototype;
    world.Function = refuse;
    world.eval = refuse;
  }

  // What a call leaves on the global object is found by Object.keys, which is cheap: nothing may hide there from it.
  function noHiding() {
    const guarded = (owner, name) => {
      const original = owner[name];
      owner[name] = function (target, ...given) {
        if (target === world) throw new TypeError("a codec defines nothing on the global object");
        return original(target, ...given);
      };
      defineProperty(owner[name], "name", { value: name });
    };
    guarded(Object, "defineProperty");
    guarded(Object, "defineProperties");
    guarded(Reflect, "defineProperty");
  }

  function close(make) {
    noEvaluation();
    noHiding();
    const errors = [Error, TypeError, RangeError, SyntaxError, ReferenceError, EvalError, URIError];
    for (const owner of [Object.prototype, Array.prototype, ...errors.map((e) => e.prototype)]) allowOverriding(owner);
    freezeAll([make]);
    for (const key of ownKeys(world)) {
      if (getOwnPropertyDescriptor(world, key).configurable) {
        defineProperty(world, key, { writable: false, configurable: false });
      }
    }
    freeze(getPrototypeOf(world));
  }

  // ------------------------------------------------------------ calling
  // ChirpStack 3 and The Things Network 2 called other names, with other arguments.
  const ENTRIES = {
    decodeUplink(codec, input) {
      if (typeof codec.decodeUplink === "function") return codec.decodeUplink(input);
      if (typeof codec.Decode === "function") return { data: codec.Decode(input.fPort, input.bytes, input.variables) };
      if (typeof codec.Decoder === "function") return { data: codec.Decoder(input.bytes, input.fPort) };
      throw new TypeError("the script has no decodeUplink");
    },
    encodeDownlink(codec, input) {
      if (typeof codec.encodeDownlink === "function") return codec.encodeDownlink(input);
      if (typeof codec.Encode === "function") {
        return { bytes: codec.Encode(input.fPort, input.data, input.variables), fPort: input.fPort };
      }
      if (typeof codec.Encoder === "function") return { bytes: codec.Encoder(input.data, input.fPort), fPort: input.fPort };
      throw new TypeError("the script has no encodeDownlink");
    },
    decodeDownlink(codec, input) {
      if (typeof codec.decodeDownlink === "function") return codec.decodeDownlink(input);
      throw new TypeError("the script has no decodeDownlink");
    },
    normalizeUplink(codec, input) {
      if (typeof codec.normalizeUplink === "function") return codec.normalizeUplink(input);
      throw new TypeError("the script has no normalizeUplink");
    },
    // Decoded, and normalised where the vendor ships that.
    uplink(codec, input) {
      const { fPort, recvTime } = input;
      const out = ENTRIES.decodeUplink(codec, input);
      const failed = !out || !out.data || (isArray(out.errors) && out.errors.length);
      if (failed || typeof codec.normalizeUplink !== "function") return out;
      const normal = codec.normalizeUplink({ data: out.data, fPort, recvTime });
      return { ...out, normalized: normal && normal.data };
    },
  };

  // JSON has no NaN and would say null: the reader must know the difference.
  const exact = (found) =>
    stringify(found, (_, value) => (typeof value === "number" && !isFinite(value) ? `\u0000${value}` : value)).replace(
      /"\\u0000(NaN|-?Infinity)"/g,
      "$1",
    );

  // thorough: the script knows symbols, which Object.keys does not list.
  return function boot(make, frozen, thorough) {
    const names = thorough ? ownKeys : keys;
    if (frozen) {
      now = realNow();
      make();
      close(make);
    }
    const known = new Set(names(world));

    // Variables that a call forgot to declare. True when the context is as it was.
    function tidy() {
      const found = names(world);
      if (found.length === known.size) return true;
      let clean = true;
      for (const key of found) if (!known.has(key)) clean = deleteProperty(world, key) && clean;
      return clean;
    }

    // An object is a result; a text says T threw or L too large. Always made by stringify: the binding of QuickJS
    // does not know the ropes that adding texts makes.
    function answer(entry, text, [asDate, clock, most]) {
      const input = parse(text);
      if (asDate && input.recvTime !== undefined) input.recvTime = new RealDate(input.recvTime);
      now = clock || (asDate && input.recvTime ? input.recvTime.getTime() : realNow());
      dice = now % 4294967296 >>> 0;
      try {
        let found = ENTRIES[entry](make(), input);
        if (found === null || typeof found !== "object" || isArray(found)) {
          return stringify(`TTypeError: the codec returned ${found === null ? "null" : typeof found}, not an object`);
        }
        if (isView(found.bytes)) found = { ...found, bytes: from(found.bytes) };
        const json = stringify(found);
        if (json.length > most) return stringify(`L${json.length} characters`);
        return json.includes("null") ? exact(found) : json;
      } catch (error) {
        let said = "an error that cannot be shown";
        try {
          // QuickJS throws null where there is no memory left for an error.
          said = error === null ? "out of memory" : error instanceof Error ? `${error.name}: ${error.message}` : `${error}`;
        } catch (_) {
          // its own toString throws
        }
        return stringify(`T${said.slice(0, 500)}`);
      }
    }

    // A list with the answer inside says that the context cannot be used again.
    return function call(entry, text, asDate, clock, most) {
      const said = answer(entry, text, [asDate, clock, most]);
      return !frozen || tidy() ? said : stringify([said]);
    };
  };
})()
