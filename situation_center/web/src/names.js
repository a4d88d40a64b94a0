/**
 * Names and newest values of objects, asked for only when somebody points at them: GET /map/objects.json?ids=1,2,3
 * (at most 50) -> {"objects": [{id, name_ru, name_en, text_ru, text_en}]}; text is one line: class, value, time.
 */

const IDS_MAX = 50;
const FRESH_MS = 10_000;
const KEPT_MAX = 500;

/** @typedef {{id: number, name_ru: string, name_en: string, text_ru: string, text_en: string}} Name */

export class Names {
  /** @param {string} address */
  constructor(address) {
    this.address = address;
    /** @type {Map<number, {at: number, name: Name}>} */
    this.kept = new Map();
  }

  /** What is known already, even if a little old. @param {number} id @returns {Name | undefined} */
  known(id) { return this.kept.get(id)?.name; }

  /**
   * Objects the viewer may not see, or that are gone, are missing from the answer.
   * @param {number[]} ids @returns {Promise<Map<number, Name>>}
   */
  async get(ids) {
    const stale = ids.filter((id) => performance.now() - (this.kept.get(id)?.at ?? -Infinity) > FRESH_MS);
    for (let i = 0; i < stale.length; i += IDS_MAX) await this.#fetch(stale.slice(i, i + IDS_MAX));
    const found = new Map();
    for (const id of ids) if (this.kept.has(id)) found.set(id, this.known(id));
    return found;
  }

  /** @param {number[]} ids */
  async #fetch(ids) {
    try {
      const response = await fetch(`${this.address}?ids=${ids.join(',')}`, { credentials: 'same-origin' });
      if (!response.ok) throw new Error(`${this.address}: ${response.status}`);
      if (this.kept.size > KEPT_MAX) this.kept.clear();
      for (const name of (await response.json()).objects) this.kept.set(name.id, { at: performance.now(), name });
    } catch (error) {
      console.error('names of objects', error);
    }
  }
}
