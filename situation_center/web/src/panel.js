/** What lies over the map's edges: service layers with their worst state, heat map choice and legend, shapes, zoom buttons. */
import { gradient } from './scale.js';
import { STATES, WORST_FIRST, symbol } from './severity.js';
import { countObjects, number, say, shortCount } from './texts.js';

/**
 * @typedef {import('./texts.js').Language} Language
 * @typedef {{name: string, title_ru: string, title_en: string}} Service position in the list = service code on the wire
 * @typedef {{quantity: string, title_ru: string, title_en: string}} HeatChoice
 * @typedef {{onServices: (names: string[]) => void, onHeat: (quantity: string | null) => void, onZoom: (step: number) => void,
 *   onWholeCity: () => void, onDraw?: (armed: boolean) => void, onCommand?: () => void, onForget?: () => void}} PanelEvents
 */

export class Panel {
  /** @param {HTMLElement} container @param {Service[]} services @param {HeatChoice[]} heats @param {PanelEvents} events */
  constructor(container, services, heats, events) {
    this.services = services;
    this.heats = heats;
    this.events = events;
    this.shown = new Set(services.map((s) => s.name));
    this.top = add(container, 'div', 'cm-top');
    this.zoom = add(container, 'div', 'cm-zoom');
    this.legends = add(container, 'div', 'cm-legends');
    this.bar = add(container, 'div', 'cm-chosen');
    this.bar.setAttribute('role', 'status');
    this.bar.hidden = true;
    this.count = 0;
    this.notice = add(container, 'div', 'cm-notice');
    this.notice.setAttribute('role', 'status');
    this.language = /** @type {Language} */ ('ru');
    this.heat = /** @type {string | null} */ (null);
  }

  /** Writes every word again. @param {Language} language */
  setLanguage(language) {
    this.language = language;
    this.top.replaceChildren(this.#serviceButtons(), ...(this.heats.length ? [this.#heatSelect()] : []));
    this.zoom.replaceChildren(
      this.#button('+', 'zoomIn', () => this.events.onZoom(1)),
      this.#button('−', 'zoomOut', () => this.events.onZoom(-1)),
      this.#button('⌂', 'wholeCity', () => this.events.onWholeCity()),
      ...(this.events.onDraw ? [this.#drawButton()] : []),
    );
    this.setChosen(this.count);
    this.legends.replaceChildren();
    this.heatLegend = add(this.legends, 'section', 'cm-heat-legend');
    this.legends.append(shapeLegend(language));
    this.setField(this.field ?? null);
    if (this.tally) this.setTally(this.tally);
  }

  /** @param {string} sign @param {string} word @param {() => void} onClick */
  #button(sign, word, onClick) {
    const button = document.createElement('button');
    button.type = 'button';
    button.textContent = sign;
    button.title = say(this.language, word);
    button.setAttribute('aria-label', button.title);
    button.onclick = onClick;
    return button;
  }

  #drawButton() {
    const button = this.#button('◌', 'draw', () => this.setDrawing(button.getAttribute('aria-pressed') !== 'true', true));
    button.className = 'cm-draw';
    button.setAttribute('aria-pressed', 'false');
    return button;
  }

  /** @param {boolean} drawing @param {boolean} [told] the lasso is told too */
  setDrawing(drawing, told = false) {
    this.zoom.querySelector('.cm-draw')?.setAttribute('aria-pressed', String(drawing));
    if (told) this.events.onDraw?.(drawing);
  }

  /**
   * What is chosen, and what can be done with it.
   * @param {number} count @param {boolean} [drawn] a line was drawn: that nothing lies in it is said too
   */
  setChosen(count, drawn = false) {
    this.count = count;
    this.bar.hidden = !count && !drawn;
    this.bar.replaceChildren();
    if (this.bar.hidden) return;
    add(this.bar, 'b', '').textContent = count ? countObjects(this.language, count) : say(this.language, 'nobody');
    if (count) {
      const command = this.#button(say(this.language, 'command'), 'command', () => this.events.onCommand?.());
      command.className = 'cm-command';
      this.bar.append(command);
    }
    this.bar.append(this.#button('×', count ? 'forget' : 'close', () => this.events.onForget?.()));
  }

  #serviceButtons() {
    const group = document.createElement('div');
    group.className = 'cm-services';
    group.setAttribute('role', 'group');
    group.setAttribute('aria-label', say(this.language, 'services'));
    for (const service of this.services) {
      const button = add(group, 'button', 'cm-service');
      button.setAttribute('type', 'button');
      button.dataset.service = service.name;
      button.setAttribute('aria-pressed', String(this.shown.has(service.name)));
      add(button, 'span', '').textContent = service[`title_${this.language}`];
      add(button, 'span', 'cm-badge');
      button.onclick = () => this.#toggle(service.name);
    }
    return group;
  }

  /** @param {string} name */
  #toggle(name) {
    const shown = new Set(this.shown);
    if (!shown.delete(name)) shown.add(name);
    this.events.onServices([...shown]);
  }

  /** @param {Set<string>} names */
  setServices(names) {
    this.shown = names;
    for (const button of /** @type {NodeListOf<HTMLElement>} */ (this.top.querySelectorAll('.cm-service'))) {
      button.setAttribute('aria-pressed', String(names.has(button.dataset.service ?? '')));
    }
  }

  /** @param {{count: number, worst: number}[]} tally by service code */
  setTally(tally) {
    this.tally = tally;
    this.top.querySelectorAll('.cm-badge').forEach((badge, i) => {
      const { count, worst } = tally[i] ?? { count: 0, worst: 0 };
      badge.innerHTML = count ? symbol(worst, 12) : '';
      if (!count) return;
      badge.append(shortCount(this.language, count));
      badge.setAttribute('aria-label', `${say(this.language, STATES[worst])}, ${countObjects(this.language, count)}`);
      badge.setAttribute('role', 'img');
    });
  }

  #heatSelect() {
    const label = document.createElement('label');
    label.className = 'cm-heat';
    add(label, 'span', '').textContent = say(this.language, 'heat');
    const select = /** @type {HTMLSelectElement} */ (add(label, 'select', ''));
    select.append(new Option(say(this.language, 'heatOff'), ''));
    for (const heat of this.heats) select.append(new Option(heat[`title_${this.language}`], heat.quantity));
    select.value = this.heat ?? '';
    select.onchange = () => this.events.onHeat(select.value || null);
    return label;
  }

  /** @param {string | null} quantity @param {import('./scale.js').ScaleName} scale */
  setHeat(quantity, scale) {
    this.heat = quantity;
    this.scale = scale;
    const select = this.top.querySelector('select');
    if (select) select.value = quantity ?? '';
  }

  /** @param {import('./heat.js').Field | null} field */
  setField(field) {
    this.field = field;
    const legend = this.heatLegend;
    if (!legend) return;
    legend.hidden = !field;
    legend.replaceChildren();
    if (!field) return;
    const choice = this.heats.find((h) => h.quantity === this.heat);
    const title = (choice ?? field)[`title_${this.language}`] ?? this.heat ?? '';
    add(legend, 'b', '').textContent = field.unit ? `${title}, ${field.unit}` : title;
    add(legend, 'div', 'cm-gradient').style.background = gradient(this.scale ?? 'viridis');
    const ends = add(legend, 'div', 'cm-ends');
    for (const value of [field.min, (field.min + field.max) / 2, field.max]) add(ends, 'span', '').textContent = number(this.language, value);
    add(legend, 'small', '').textContent = say(this.language, 'doubt');
  }

  /** @param {'loading' | 'failed' | null} word */
  say(word) {
    this.notice.textContent = word ? say(this.language, word) : '';
    this.notice.hidden = !word;
  }
}

/** @param {Language} language */
function shapeLegend(language) {
  const list = document.createElement('ul');
  list.className = 'cm-shapes';
  list.setAttribute('aria-label', say(language, 'severities'));
  for (const state of WORST_FIRST) {
    const item = add(list, 'li', '');
    item.innerHTML = symbol(state, 13);
    item.append(say(language, STATES[state]));
  }
  return list;
}

/** @param {Element} parent @param {string} tag @param {string} className @returns {HTMLElement} */
function add(parent, tag, className) {
  const element = document.createElement(tag);
  if (className) element.className = className;
  parent.append(element);
  return element;
}
