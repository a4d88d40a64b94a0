/** Symbols in HTML over the map: groups of incidents (buttons, reachable by keyboard) and the ring of the selected object. */
import { Marker } from 'maplibre-gl';
import { latitude, longitude } from './objects.js';
import { RANK, STATES, symbol } from './severity.js';
import { countObjects, say, shortCount } from './texts.js';

/** So many groups at once are no picture any more; the worst ones are drawn. */
const MARKERS_MAX = 250;

/** @typedef {import('./clusters.js').Cluster} Cluster @typedef {import('./texts.js').Language} Language */

export class ClusterMarkers {
  /** @param {import('maplibre-gl').Map} map @param {(cluster: Cluster) => void} onOpen */
  constructor(map, onOpen) {
    this.map = map;
    this.onOpen = onOpen;
    /** @type {Map<number, {marker: Marker, signature: string, cluster: Cluster}>} */
    this.drawn = new Map();
  }

  /**
   * Draws these groups and no others; a group that did not change keeps its element, and so the keyboard focus.
   * @param {Cluster[]} clusters worst first @param {import('./objects.js').Objects} objects @param {Language} language
   */
  draw(clusters, objects, language) {
    const wanted = new Set();
    for (const cluster of clusters.slice(0, MARKERS_MAX)) {
      const key = objects.id[cluster.anchor];
      wanted.add(key);
      const at = /** @type {[number, number]} */ ([longitude(objects.x[cluster.anchor]), latitude(objects.y[cluster.anchor])]);
      this.#place(key, cluster, at, language);
    }
    for (const [key, { marker }] of this.drawn) {
      if (wanted.has(key)) continue;
      marker.remove();
      this.drawn.delete(key);
    }
  }

  /** @param {number} key @param {Cluster} cluster @param {[number, number]} at @param {Language} language */
  #place(key, cluster, at, language) {
    const signature = `${cluster.worst}:${cluster.members.length}:${language}`;
    const old = this.drawn.get(key);
    if (old) {
      old.cluster = cluster;
      old.marker.setLngLat(at);
      if (old.signature !== signature) dress(old.marker.getElement(), cluster, language);
      old.signature = signature;
      return;
    }
    const element = document.createElement('button');
    element.type = 'button';
    const marker = new Marker({ element }).setLngLat(at).addTo(this.map);
    const entry = { marker, signature, cluster };
    element.addEventListener('click', (event) => {
      event.stopPropagation();
      this.onOpen(entry.cluster);
    });
    dress(element, cluster, language);
    this.drawn.set(key, entry);
  }
}

/** @param {HTMLElement} element @param {Cluster} cluster @param {Language} language */
function dress(element, cluster, language) {
  const n = cluster.members.length;
  const size = n < 10 ? 34 : n < 100 ? 40 : 46;
  element.classList.add('cm-cluster');
  element.dataset.state = STATES[cluster.worst];
  element.style.zIndex = String(RANK[cluster.worst]);
  element.setAttribute('aria-label', `${countObjects(language, n)}, ${say(language, 'worst')}: ${say(language, STATES[cluster.worst])}`);
  element.innerHTML = symbol(cluster.worst, size);
  const count = document.createElement('span');
  count.textContent = shortCount(language, n);
  element.append(count);
}

/** The ring around the selected object, with its name. */
export class SelectionRing {
  /** @param {import('maplibre-gl').Map} map */
  constructor(map) {
    this.map = map;
    this.element = document.createElement('div');
    this.element.className = 'cm-ring';
    this.label = document.createElement('span');
    this.element.append(document.createElement('i'), this.label);
    this.marker = new Marker({ element: this.element });
  }

  /** @param {[number, number]} at lon, lat @param {string} name @param {boolean} gathered then the ring goes around the whole group */
  show(at, name, gathered) {
    this.element.classList.toggle('cm-around', gathered);
    this.label.textContent = name;
    this.label.hidden = !name;
    this.marker.setLngLat(at).addTo(this.map);
    this.element.setAttribute('aria-hidden', 'true'); // the card beside the map says it in words
    this.element.removeAttribute('role');
  }

  hide() { this.marker.remove(); }
}
