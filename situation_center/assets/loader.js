/**
 * The browser side of the Dash screens: mounts the live map, sends keys, ticks clocks and countdowns, says when the
 * connection is lost. A classic script (Dash loads assets/*.js so); called by clientside callbacks of screens/.
 *
 *   dash_clientside.citynet.mountMap(id, options)       Input('city-map', 'id'), State('map-options', 'data')
 *   dash_clientside.citynet.selectObject(selection)     Input('selection', 'data'): {object_id, source, at} or null
 *   dash_clientside.citynet.setTheme(theme) .setLanguage(language) .setServices(names) .setHeat(quantity)
 *   dash_clientside.citynet.beat(data)                  any Input the server pushes at least every 10 s
 *
 * Stores written here: `selection` {object_id, source: 'map', at}, `map-layers` {services, heat},
 * `chosen` {objects, source: 'map'} (names may be changed in options.stores).
 * Attributes read here, times in epoch ms of the city clock:
 *   data-city-now, data-city-speed, data-city-zone   on one element: sets the clock; the element may be hidden
 *   data-clock="time" | "date"                       shows the city's time of day or date
 *   data-deadline [data-start]                       shows the time left; data-urgency becomes ok | soon (75 % gone) | over
 *   data-since                                       shows the age
 * Such an element must have no child but plain text: React then leaves our text alone.
 */
(() => {
  'use strict';

  const MAP_MODULE = '/vendor/citymap.mjs';
  const BEAT_MS_MAX = 15000;
  const WARNING_SHARE = 0.75;
  const TEXTS = {
    ru: { lost: 'Связь потеряна. Данные на', none: 'Нет связи с сервером', ended: 'Сеанс закончился. Войдите снова.', day: 'д', hour: 'ч' },
    en: { lost: 'Connection lost. Data as of', none: 'No connection to the server', ended: 'The session has ended. Sign in again.', day: 'd', hour: 'h' },
  };
  const STORES = { selection: 'selection', layers: 'map-layers', chosen: 'chosen' };

  const language = () => (document.documentElement.lang === 'en' ? 'en' : 'ru');
  const noUpdate = () => window.dash_clientside.no_update;

  /** Dash throws when the store is not on this page; that is no error of the person who pressed a key. */
  function setStore(id, data) {
    try {
      window.dash_clientside.set_props(id, { data });
    } catch (error) {
      console.debug('store', id, error);
    }
  }

  // --- the map -----------------------------------------------------------------------------------------------------

  /** At most one map: {div, options, map: Promise<CityMap>}. A second map would be a second WebGL context. */
  let mounted = null;
  const layers = { services: null, heat: null };

  async function createMap(div, options) {
    const stores = { ...STORES, ...options.stores };
    const { mount } = await import(MAP_MODULE);
    const announce = () => setStore(stores.layers, { ...layers });
    return mount(div, {
      ...options,
      language: options.language ?? language(),
      onSelect: (objectId) => setStore(stores.selection, { object_id: objectId, source: 'map', at: Date.now() }),
      onStatus: (status) => noteConnection('map', status),
      ...(options.command ? {
        onChosen: (objects) => setStore(stores.chosen, { objects, source: 'map' }),
        onCommand: () => window.dash_clientside.set_props('url', { pathname: '/commands/group/chosen' }),
      } : {}),
      onServices: (services) => { layers.services = services; announce(); },
      onHeat: (heat) => { layers.heat = heat; announce(); },
    });
  }

  function mountMap(id, options) {
    const div = document.getElementById(id);
    if (!div || !options || mounted?.div === div) return noUpdate();
    unmountMap();
    mounted = { div, map: createMap(div, options) };
    mounted.map.catch((error) => {
      console.error('map', error);
      div.textContent = String(error.message ?? error);
    });
    return noUpdate();
  }

  function unmountMap() {
    mounted?.map.then((map) => map.destroy(), () => {});
    mounted = null;
    connections.delete('map');
  }

  /** Calls a method of the map once there is one. */
  function onMap(method, ...args) {
    mounted?.map.then((map) => map[method](...args), () => {});
    return noUpdate();
  }

  function selectObject(selection) {
    const fromMap = selection?.source === 'map';
    return onMap('select', selection?.object_id ?? null, { fly: !fromMap });
  }

  // --- theme and language ------------------------------------------------------------------------------------------

  /** AG Grid and our own style sheets read these attributes; DMC is told by the server. */
  function setTheme(theme) {
    const name = theme === 'light' ? 'light' : 'dark';
    document.documentElement.dataset.theme = name;
    document.documentElement.dataset.agThemeMode = name;
    onMap('setTheme', name);
    return name;
  }

  function setLanguage(name) {
    document.documentElement.lang = name === 'en' ? 'en' : 'ru';
    onMap('setLanguage', language());
    tick();
    return language();
  }

  // --- keys --------------------------------------------------------------------------------------------------------

  const LETTERS = new Set(['J', 'K', 'A', 'T', 'M', 'S', 'C']);

  const isTyping = (target) => target instanceof Element
    && Boolean(target.closest('input, textarea, select, [contenteditable=""], [contenteditable="true"], [role="combobox"]'));

  /** The key of the house, whatever keyboard layout is on: "о" on the Russian layout is J. */
  function houseKey(event) {
    if (event.key === 'Escape') return 'Esc';
    if (event.key === '?' || (event.code === 'Slash' && event.shiftKey)) return '?';
    if (event.key === '/' || event.code === 'Slash') return '/';
    const latin = /^[a-z]$/i.test(event.key) ? event.key : event.code.replace(/^Key/, '');
    return LETTERS.has(latin.toUpperCase()) ? latin.toUpperCase() : null;
  }

  function onKey(event) {
    if (event.defaultPrevented || event.ctrlKey || event.altKey || event.metaKey || event.repeat && !/^[jk]$/i.test(event.key)) return;
    const key = houseKey(event);
    if (!key) return;
    if (isTyping(event.target)) {
      if (key === 'Esc') event.target.blur();
      return;
    }
    // In a dialogue letters belong to the dialogue.
    if (key !== 'Esc' && event.target instanceof Element && event.target.closest('[role="dialog"]')) return;
    if (key === '/') event.preventDefault(); // Firefox would open its own search
    // At once, not by a store: what is typed right after "/" must land in the search field, not in the queue's keys.
    window.dash_clientside.screens?.pressed(key);
  }

  // --- the city clock ----------------------------------------------------------------------------------------------

  const clock = { city: Date.now(), wall: performance.now(), speed: 1, zone: undefined, seen: '' };

  const cityNow = () => clock.city + (performance.now() - clock.wall) * clock.speed;

  /** The server writes the attributes anew from time to time; only a changed value moves the clock. */
  function readClock() {
    const source = document.querySelector('[data-city-now]');
    if (!source) return;
    const { cityNow: now, citySpeed = '1', cityZone } = source.dataset;
    const seen = `${now}/${citySpeed}/${cityZone}`;
    if (seen === clock.seen || !Number.isFinite(Number(now))) return;
    Object.assign(clock, { seen, city: Number(now), wall: performance.now(), speed: Number(citySpeed) || 1, zone: cityZone });
  }

  function format(ms, options) {
    return new Intl.DateTimeFormat(language(), { timeZone: clock.zone, ...options }).format(ms);
  }

  const timeOfDay = (ms) => format(ms, { hour: '2-digit', minute: '2-digit', second: '2-digit', hourCycle: 'h23' });
  const date = (ms) => format(ms, { weekday: 'short', day: 'numeric', month: 'long' });
  const two = (n) => String(n).padStart(2, '0');

  /** 04:12, 1:04:12, 2 d 03 h. */
  function duration(ms) {
    const s = Math.floor(Math.abs(ms) / 1000);
    const words = TEXTS[language()];
    if (s >= 86400) return `${Math.floor(s / 86400)} ${words.day} ${two(Math.floor((s % 86400) / 3600))} ${words.hour}`;
    const rest = `${two(Math.floor((s % 3600) / 60))}:${two(s % 60)}`;
    return s >= 3600 ? `${Math.floor(s / 3600)}:${rest}` : rest;
  }

  function write(element, text) {
    if (element.textContent !== text) element.textContent = text;
  }

  function showDeadline(element, now) {
    const deadline = Number(element.dataset.deadline);
    if (!element.dataset.deadline || !Number.isFinite(deadline)) return;
    const start = Number(element.dataset.start ?? NaN);
    const left = deadline - now;
    const soon = left < (1 - WARNING_SHARE) * (deadline - start);
    element.dataset.urgency = left < 0 ? 'over' : soon ? 'soon' : 'ok';
    write(element, (left < 0 ? '−' : '') + duration(left));
  }

  function tick() {
    readClock();
    const now = cityNow();
    // Before the server has said what time it is in the city, the time of this computer would be a wrong one.
    if (clock.seen) for (const e of document.querySelectorAll('[data-clock]')) write(e, e.dataset.clock === 'date' ? date(now) : timeOfDay(now));
    for (const e of document.querySelectorAll('[data-deadline]')) showDeadline(e, now);
    for (const e of document.querySelectorAll('[data-since]')) if (e.dataset.since) write(e, duration(Math.max(0, now - Number(e.dataset.since))));
    if (mounted && !mounted.div.isConnected) unmountMap(); // the page was changed: close socket and WebGL
    if (lastBeat && performance.now() - lastBeat > BEAT_MS_MAX) noteConnection('push', { state: 'lost', asOf: lastBeatCity });
    showBanner();
  }

  // --- lost connection ---------------------------------------------------------------------------------------------

  /** source ('map', 'push') -> {state, asOf}; the worst is shown. */
  const connections = new Map();
  let lastBeat = 0;
  let lastBeatCity = null;

  function beat() {
    lastBeat = performance.now();
    lastBeatCity = cityNow();
    noteConnection('push', { state: 'live', asOf: lastBeatCity });
    return noUpdate();
  }

  function noteConnection(source, status) {
    connections.set(source, status);
    showBanner();
  }

  function bannerText() {
    const words = TEXTS[language()];
    const all = [...connections.values()];
    if (all.some((c) => c.state === 'ended')) return words.ended;
    const lost = all.filter((c) => c.state === 'lost');
    if (!lost.length) return '';
    const times = lost.map((c) => c.asOf).filter((t) => t !== null);
    return times.length ? `${words.lost} ${timeOfDay(Math.min(...times))}` : words.none;
  }

  function showBanner() {
    const text = bannerText();
    let banner = document.getElementById('connection-banner');
    if (!banner) {
      if (!text) return;
      banner = document.createElement('div');
      banner.id = 'connection-banner';
      banner.setAttribute('role', 'alert');
      document.body.append(banner);
    }
    banner.hidden = !text;
    document.documentElement.dataset.connection = text ? 'lost' : 'live';
    write(banner, text);
  }

  document.addEventListener('keydown', onKey);
  setInterval(tick, 1000);

  window.dash_clientside = window.dash_clientside || {};
  window.dash_clientside.citynet = {
    mountMap,
    selectObject,
    setTheme,
    setLanguage,
    setServices: (names) => (names ? onMap('setServices', names) : noUpdate()),
    setHeat: (quantity) => onMap('setHeat', quantity || null),
    beat,
    cityNow,
    tick,
  };
})();
