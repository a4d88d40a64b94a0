/** The hover tooltip, and the list that tells apart several objects at one point. */
import { Popup } from 'maplibre-gl';
import { STATES, symbol } from './severity.js';
import { say } from './texts.js';

/** Longer lists are cut and say so; zooming in shows the rest. */
const LIST_MAX = 50;
/** Names are asked for when the pointer rests, not on its way across the map. */
const REST_MS = 90;

/** @typedef {import('./texts.js').Language} Language @typedef {{id: number, state: number}} Entry */

export class Tooltip {
  /** @param {HTMLElement} container @param {import('./names.js').Names} names */
  constructor(container, names) {
    this.names = names;
    this.element = document.createElement('div');
    this.element.className = 'cm-tooltip';
    this.element.hidden = true;
    container.append(this.element);
    this.shown = /** @type {number | null} */ (null);
  }

  /** @param {Entry} entry @param {{x: number, y: number}} at px @param {Language} language */
  show(entry, at, language) {
    this.element.style.transform = `translate(${Math.round(at.x + 14)}px, ${Math.round(at.y + 14)}px)`;
    if (this.shown === entry.id) return;
    this.shown = entry.id;
    this.element.hidden = false;
    this.#fill(entry, language);
    clearTimeout(this.timer);
    this.timer = setTimeout(async () => {
      await this.names.get([entry.id]);
      if (this.shown === entry.id) this.#fill(entry, language);
    }, REST_MS);
  }

  hide() {
    clearTimeout(this.timer);
    this.shown = null;
    this.element.hidden = true;
  }

  /** @param {Entry} entry @param {Language} language */
  #fill(entry, language) {
    this.element.replaceChildren(...describe(entry, this.names, language));
  }
}

/** @param {Entry} entry @param {import('./names.js').Names} names @param {Language} language @returns {Element[]} */
function describe(entry, names, language) {
  const known = names.known(entry.id);
  const icon = document.createElement('span');
  icon.innerHTML = symbol(entry.state, 14);
  const words = document.createElement('span');
  const title = document.createElement('b');
  title.textContent = known ? known[`name_${language}`] : '…';
  const text = document.createElement('small');
  text.textContent = [say(language, STATES[entry.state]), known?.[`text_${language}`]].filter(Boolean).join(' · ');
  words.append(title, text);
  return [icon, words];
}

export class ObjectList {
  /** @param {import('maplibre-gl').Map} map @param {import('./names.js').Names} names @param {(id: number) => void} onPick */
  constructor(map, names, onPick) {
    this.map = map;
    this.names = names;
    this.onPick = onPick;
  }

  /** @param {Entry[]} entries worst first @param {[number, number]} at lon, lat @param {Language} language */
  async open(entries, at, language) {
    this.close();
    const body = document.createElement('div');
    body.className = 'cm-list';
    const popup = new Popup({ closeButton: false, maxWidth: '340px', offset: 14 }).setLngLat(at).setDOMContent(body).addTo(this.map);
    this.popup = popup;
    this.#fill(body, entries, language);
    focusFirst(body);
    await this.names.get(entries.slice(0, LIST_MAX).map((e) => e.id));
    if (this.popup !== popup) return;
    this.#fill(body, entries, language);
    focusFirst(body);
  }

  close() {
    this.popup?.remove();
    this.popup = undefined;
  }

  /** @param {HTMLElement} body @param {Entry[]} entries @param {Language} language */
  #fill(body, entries, language) {
    const head = document.createElement('header');
    const title = document.createElement('b');
    title.textContent = `${say(language, 'here')}: ${entries.length}`;
    const close = document.createElement('button');
    close.type = 'button';
    close.textContent = '×';
    close.setAttribute('aria-label', say(language, 'close'));
    close.onclick = () => this.close();
    head.append(title, close);
    const list = document.createElement('ul');
    for (const entry of entries.slice(0, LIST_MAX)) list.append(this.#row(entry, language));
    if (entries.length > LIST_MAX) {
      const rest = document.createElement('li');
      rest.textContent = `${say(language, 'more')} ${entries.length - LIST_MAX}`;
      list.append(rest);
    }
    body.replaceChildren(head, list);
    body.onkeydown = (event) => {
      if (event.key !== 'Escape') return;
      event.stopPropagation();
      this.close();
      this.map.getCanvas().focus();
    };
  }

  /** @param {Entry} entry @param {Language} language */
  #row(entry, language) {
    const item = document.createElement('li');
    const button = document.createElement('button');
    button.type = 'button';
    button.append(...describe(entry, this.names, language));
    button.onclick = () => { this.close(); this.onPick(entry.id); };
    item.append(button);
    return item;
  }
}

/** @param {HTMLElement} body */
const focusFirst = (body) => /** @type {HTMLElement | null} */ (body.querySelector('li button'))?.focus({ preventScroll: true });
