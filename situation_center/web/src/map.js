/**
 * The live city map, built into /vendor/citymap.mjs. assets/loader.js imports it and calls mount(div, options).
 * It talks to our own server only: /map/base.geojson, objects.json, heat/<quantity>.json, track/<id>.json, websocket live.
 */
import { Map as MapLibre, setWorkerUrl } from 'maplibre-gl';
import 'maplibre-gl/dist/maplibre-gl.css';
import './map.css';
import { bounds, fetchBase, labelPoints } from './base.js';
import { cluster, extent, separable } from './clusters.js';
import { HeatMap } from './heat.js';
import { Lasso, inside } from './lasso.js';
import { LiveFeed } from './live.js';
import { ClusterMarkers, SelectionRing } from './markers.js';
import { Names } from './names.js';
import { Objects, latitude, longitude, mercatorX, mercatorY } from './objects.js';
import { liveAddress, loadStyleSheet, saveView, savedView } from './page.js';
import { Panel } from './panel.js';
import { PointsLayer } from './points.js';
import { ObjectList, Tooltip } from './popups.js';
import { PALETTES, restyle, showNetworks, style } from './style.js';
import { say } from './texts.js';
import { Track } from './track.js';

const ZOOM_MAX = 19;
const ZOOM_SELECTED = 15.5;
const CLUSTER_PX = 42;
const REACH_PX = 9;
/** Objects nearer to each other than this cannot be hit apart: a click opens a list. */
const SAME_POINT_PX = 5;
const RECLUSTER_MS = 180;
/** The folder this module was served from: its worker, style sheet and fonts lie beside it. */
const VENDOR = import.meta.url.replace(/[^/]*$/, '');

/**
 * @typedef {object} Options
 * @property {import('./panel.js').Service[]} services in wire order (code 0, 1, 2 ...)
 * @property {import('./panel.js').HeatChoice[]} [heats] quantities that have a heat map
 * @property {string} [baseVersion] goes into ?v= so that the base map may be cached for ever
 * @property {import('./style.js').Theme} [theme]
 * @property {import('./style.js').Language} [language]
 * @property {[number, number, number, number]} [bounds] west, south, east, north; else the districts' extent
 * @property {string} [attribution] for real geodata only, e.g. "© OpenStreetMap contributors"
 * @property {number} [track] an object whose way of the last 24 h is drawn; the map opens there
 * @property {(objectId: number) => void} [onSelect] a person chose an object on the map
 * @property {(objectIds: number[]) => void} [onChosen] a person drew around objects; without it there is no lasso
 * @property {() => void} [onCommand] ... and wants to command them
 * @property {(status: import('./live.js').Status) => void} [onStatus]
 * @property {(names: string[]) => void} [onServices] a person switched layers
 * @property {(quantity: string | null) => void} [onHeat] a person switched the heat map
 */

class CityMap {
  /** @param {HTMLElement} div @param {Options} options */
  constructor(div, options) {
    this.div = div;
    this.options = options;
    this.theme = options.theme ?? 'dark';
    this.language = options.language ?? 'ru';
    this.vendor = VENDOR;
    this.objects = new Objects();
    this.timer = /** @type {ReturnType<typeof setTimeout> | undefined} */ (undefined);
    this.groups = /** @type {import('./clusters.js').Cluster[]} */ ([]);
    this.selected = /** @type {number | null} */ (null);
    this.selectedAwaited = false;
    this.abort = new AbortController();
    this.savedView = savedView();
    div.classList.add('cm');
    div.dataset.theme = this.theme;

    this.map = this.#createMap();
    this.points = new PointsLayer(this.objects, PALETTES[this.theme].points);
    this.names = new Names('/map/objects.json');
    this.tooltip = new Tooltip(div, this.names);
    this.list = new ObjectList(this.map, this.names, (id) => this.#choose(id));
    this.markers = new ClusterMarkers(this.map, (c) => this.#openCluster(c));
    this.ring = new SelectionRing(this.map);
    this.heat = new HeatMap(this.map, '/map/heat/', (field) => this.#fieldCame(field));
    this.panel = new Panel(div, options.services, options.heats ?? [], {
      onServices: (names) => { this.setServices(names); options.onServices?.(names); },
      onHeat: (quantity) => { this.setHeat(quantity); options.onHeat?.(quantity); },
      onZoom: (step) => this.map.zoomTo(this.map.getZoom() + step),
      onWholeCity: () => this.#wholeCity(),
    });
    if (options.onChosen) this.#addLasso();
    this.feed = new LiveFeed(liveAddress(), (frame) => this.#frameCame(frame), (status) => options.onStatus?.(status));
    this.#decorate();
    this.setLanguage(this.language);
    this.#listen();
    this.ready = this.#start();
  }

  #createMap() {
    const map = new MapLibre({
      container: this.div,
      style: style({ theme: this.theme, language: this.language, vendor: this.vendor }),
      attributionControl: false,
      maxZoom: ZOOM_MAX,
      minZoom: 8,
      dragRotate: false,
      pitchWithRotate: false,
      touchPitch: false,
      renderWorldCopies: false,
      fadeDuration: 0,
      ...this.savedView,
    });
    map.keyboard.disableRotation();
    map.touchZoomRotate.disableRotation();
    return map;
  }

  #decorate() {
    const cross = document.createElement('div');
    cross.className = 'cm-cross';
    this.div.append(cross);
    if (this.options.attribution) {
      const note = document.createElement('div');
      note.className = 'cm-attribution';
      note.textContent = this.options.attribution;
      this.div.append(note);
    }
  }

  #listen() {
    const { map, abort: { signal } } = this;
    map.on('mousemove', (event) => this.#hover(event.point));
    map.on('mouseout', () => this.tooltip.hide());
    map.on('click', (event) => this.#click(event.point));
    map.on('movestart', () => this.tooltip.hide());
    map.on('zoom', () => this.#recluster());
    map.on('moveend', () => {
      this.#recluster();
      if (this.home && !this.options.track) saveView(map); // before that it is not the operator's view yet
    });
    map.on('webglcontextrestored', () => this.#addPoints());
    map.getCanvas().addEventListener('keydown', (event) => {
      if (event.key === 'Enter') this.#click(map.project(map.getCenter()), 40);
    }, { signal });
    window.addEventListener('pagehide', () => this.feed.close(), { signal });
    window.addEventListener('pageshow', (event) => { if (event.persisted) this.feed.open(); }, { signal });
  }

  #addLasso() {
    this.chosen = /** @type {number[]} */ ([]);
    this.lasso = new Lasso(this.div, this.map, (line) => this.#drawn(line), this.abort.signal);
    this.lasso.onEnd = () => this.panel.setDrawing(false);
    this.panel.events.onDraw = (armed) => this.lasso?.arm(armed);
    this.panel.events.onCommand = () => this.options.onCommand?.();
    this.panel.events.onForget = () => this.#chosenNow([]);
  }

  /** @param {[number, number][]} line px */
  #drawn(line) {
    const border = line.map((point) => {
      const { lng, lat } = this.map.unproject(point);
      return /** @type {[number, number]} */ ([mercatorX(lng), mercatorY(lat)]);
    });
    this.#chosenNow(inside(this.objects, border, this.points.services).map((i) => this.objects.id[i]), true);
  }

  /** @param {number[]} ids @param {boolean} [drawn] */
  #chosenNow(ids, drawn = false) {
    this.chosen = ids;
    this.panel.setChosen(ids.length, drawn);
    this.options.onChosen?.(ids);
  }

  async #start() {
    this.panel.say('loading');
    const url = `${location.origin}/map/base.geojson?v=${encodeURIComponent(this.options.baseVersion ?? '')}`;
    const [base] = await Promise.all([
      fetchBase(url, this.abort.signal, () => this.panel.say('failed')),
      this.map.isStyleLoaded() ? null : new Promise((resolve) => this.map.once('load', resolve)),
    ]);
    if (this.abort.signal.aborted) return;
    this.home = this.options.bounds ?? bounds(base);
    if (!this.savedView || this.options.track) this.#wholeCity(false);
    this.#source('base').setData(base);
    this.#source('labels').setData(labelPoints(base, this.home));
    this.#addPoints();
    showNetworks(this.map, this.panel.shown);
    if (this.options.track) this.#drawTrack(this.options.track);
    this.panel.say(null);
    this.feed.open();
  }

  /** @param {number} id */
  async #drawTrack(id) {
    this.track = new Track(this.map, id, this.abort.signal);
    this.select(id, { fly: false });
    const box = await this.track.draw(this.theme);
    if (box) this.map.fitBounds(box, { padding: 60, maxZoom: ZOOM_SELECTED, animate: false });
  }

  /** @param {string} name */
  #source(name) { return /** @type {import('maplibre-gl').GeoJSONSource} */ (this.map.getSource(name)); }

  #addPoints() {
    if (this.map.getLayer(this.points.id)) this.map.removeLayer(this.points.id);
    this.map.addLayer(this.points);
  }

  /** @param {import('./wire.js').Snapshot | import('./wire.js').Delta | import('./wire.js').Moved} frame */
  #frameCame(frame) {
    if (frame.kind === 'moved') {
      if (this.objects.move(frame)) this.#recluster();
      this.points.moved(frame.index);
      this.#showRing();
      this.track?.moved(this.objects, frame.index);
      return;
    }
    if (frame.kind === 'snapshot') {
      this.objects.load(frame);
      this.points.reload();
      this.#recluster();
      this.#showRing();
      if (this.selectedAwaited) this.select(this.selected);
    } else if (frame.n) {
      if (this.objects.apply(frame)) this.#recluster();
      this.points.refresh();
    }
  }

  /** Soon, and not more often than a person can see. */
  #recluster() {
    this.timer ??= setTimeout(() => {
      this.timer = undefined;
      this.#clusterNow();
    }, RECLUSTER_MS);
  }

  #clusterNow() {
    const groups = cluster(this.objects.abnormal(this.points.services), this.objects, this.#pxPerUnit(), CLUSTER_PX).filter((c) => c.members.length > 1);
    this.groups = groups;
    this.points.gathered = new Set(groups.flatMap((c) => c.members));
    this.points.refresh();
    const [west, north, east, south] = this.#viewport();
    const { x, y } = this.objects;
    const inView = groups.filter((c) => x[c.anchor] > west && x[c.anchor] < east && y[c.anchor] > north && y[c.anchor] < south);
    this.markers.draw(inView, this.objects, this.language);
    this.#showRing();
    this.panel.setTally(this.objects.tally(this.options.services.length));
  }

  #pxPerUnit(zoom = this.map.getZoom()) { return 512 * 2 ** zoom; }

  /** The view and a margin around it, in Mercator units. @returns {[number, number, number, number]} */
  #viewport() {
    const b = this.map.getBounds();
    const margin = 60 / this.#pxPerUnit();
    return [mercatorX(b.getWest()) - margin, mercatorY(b.getNorth()) - margin, mercatorX(b.getEast()) + margin, mercatorY(b.getSouth()) + margin];
  }

  /** @param {{x: number, y: number}} point px @param {number} reach px @returns {number[]} indices, best first */
  #at(point, reach = REACH_PX) {
    const { lng, lat } = this.map.unproject([point.x, point.y]);
    return this.objects.around(mercatorX(lng), mercatorY(lat), reach / this.#pxPerUnit(), this.points.services);
  }

  /** @param {{x: number, y: number}} point */
  #hover(point) {
    if (this.map.isMoving()) return;
    const [i] = this.#at(point);
    this.map.getCanvas().style.cursor = i === undefined ? '' : 'pointer';
    if (i === undefined) this.tooltip.hide();
    else this.tooltip.show(this.#entry(i), point, this.language);
  }

  /** @param {{x: number, y: number}} point @param {number} [reach] */
  #click(point, reach) {
    const [best, ...others] = this.#at(point, reach);
    if (best === undefined) return;
    const { x, y } = this.objects;
    const near = SAME_POINT_PX / this.#pxPerUnit();
    const together = [best, ...others.filter((i) => Math.hypot(x[i] - x[best], y[i] - y[best]) < near)];
    if (together.length > 1) this.#openList(together);
    else this.#choose(this.objects.id[best]);
  }

  /** @param {number} i */
  #entry(i) { return { id: this.objects.id[i], state: this.objects.state[i] }; }

  /** @param {number} i @returns {[number, number]} lon, lat */
  #place(i) { return [longitude(this.objects.x[i]), latitude(this.objects.y[i])]; }

  /** @param {number[]} indices */
  #openList(indices) {
    this.tooltip.hide();
    this.list.open(indices.map((i) => this.#entry(i)), this.#place(indices[0]), this.language);
  }

  /** @param {import('./clusters.js').Cluster} group */
  #openCluster({ members }) {
    if (!separable(members, this.objects, this.#pxPerUnit(ZOOM_MAX), CLUSTER_PX)) {
      this.#openList(members);
      return;
    }
    const [west, north, east, south] = extent(members, this.objects);
    const box = /** @type {[number, number, number, number]} */ ([longitude(west), latitude(south), longitude(east), latitude(north)]);
    // fitBounds alone may not zoom in at all when the members already fill the view: always come nearer.
    const camera = this.map.cameraForBounds(box, { padding: 90, maxZoom: ZOOM_MAX - 0.5 });
    this.map.easeTo({ center: camera?.center, zoom: Math.max(camera?.zoom ?? 0, this.map.getZoom() + 1) });
  }

  /** A person chose this object here. @param {number} id */
  #choose(id) {
    this.select(id, { fly: false });
    this.options.onSelect?.(id);
  }

  /**
   * Marks an object and flies to it; before the first snapshot it waits for it. null takes the mark away.
   * @param {number | null} id @param {{fly?: boolean}} [how]
   * @returns {boolean} whether the object is on this map
   */
  select(id, { fly = true } = {}) {
    this.selected = id;
    const i = id === null ? undefined : this.objects.byId.get(id);
    this.selectedAwaited = id !== null && i === undefined && this.objects.n === 0;
    this.#showRing();
    if (i === undefined) return false;
    if (fly) this.map.easeTo({ center: this.#place(i), zoom: Math.max(this.map.getZoom(), ZOOM_SELECTED), duration: 700 });
    this.names.get([this.objects.id[i]]).then(() => this.#showRing());
    return true;
  }

  #showRing() {
    const i = this.selected === null ? undefined : this.objects.byId.get(this.selected);
    if (i === undefined) this.ring.hide();
    else this.ring.show(this.#ringPlace(i), this.names.known(this.objects.id[i])?.[`name_${this.language}`] ?? '', this.points.gathered.has(i));
  }

  /** A gathered object is drawn with its group, at the group's leader. @param {number} i */
  #ringPlace(i) {
    return this.#place(this.groups.find((group) => group.members.includes(i))?.anchor ?? i);
  }

  /** @param {import('./style.js').Theme} theme */
  setTheme(theme) {
    this.theme = theme;
    this.div.dataset.theme = theme;
    this.points.colours = PALETTES[theme].points;
    this.track?.paint(theme);
    this.#whenStyled(() => restyle(this.map, this));
  }

  /** @param {import('./style.js').Language} language */
  setLanguage(language) {
    this.language = language;
    const canvas = this.map.getCanvas();
    canvas.setAttribute('role', 'application');
    canvas.setAttribute('aria-label', say(language, 'map'));
    this.list.close();
    this.panel.setLanguage(language);
    this.#whenStyled(() => restyle(this.map, this));
    this.#showRing();
    this.#recluster();
  }

  /** Shows these services and hides the others; objects of no service always show. @param {string[]} names */
  setServices(names) {
    const shown = new Set(names);
    this.panel.setServices(shown);
    this.points.services = this.options.services.reduce((mask, s, code) => (shown.has(s.name) ? mask | (1 << code) : mask), 0) >>> 0;
    this.#whenStyled(() => showNetworks(this.map, shown));
    this.#recluster();
  }

  /** @param {string | null} quantity @param {import('./scale.js').ScaleName} [scale] */
  setHeat(quantity, scale = 'viridis') {
    this.heat.scale = scale;
    this.panel.setHeat(quantity, scale);
    this.feed.ask(quantity);
    this.#whenStyled(() => this.heat.show(quantity));
  }

  /** @param {import('./heat.js').Field | null} field */
  #fieldCame(field) {
    this.points.setHeat(field && { min: field.min, max: field.max, scale: this.heat.scale });
    this.panel.setField(field);
  }

  /** @param {() => void} act */
  #whenStyled(act) {
    if (this.map.getLayer('district')) act();
    else this.map.once('load', act);
  }

  #wholeCity(animate = true) {
    if (this.home) this.map.fitBounds(this.home, { padding: { top: 60, bottom: 40, left: 30, right: 60 }, animate });
  }

  /** Closes the connection, the map and its WebGL context. */
  destroy() {
    this.abort.abort();
    clearTimeout(this.timer);
    this.feed.close();
    this.heat.close();
    this.map.remove();
    this.div.replaceChildren();
  }
}

/**
 * @param {HTMLElement} div must have a height
 * @param {Options} options
 * @returns {Promise<CityMap>} its public face: select, setTheme, setLanguage, setServices, setHeat, destroy, ready
 */
export async function mount(div, options) {
  setWorkerUrl(`${VENDOR}maplibre-gl-worker.mjs`);
  await loadStyleSheet(`${VENDOR}citymap.css`);
  return new CityMap(div, options);
}
