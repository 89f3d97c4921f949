// The state of the page is the part of its address after `#`, so that a link shows what its sender saw. Whoever wrote the link is
// not trusted: unknown names are left out, values are bounded, and all of it is only ever shown as text.

/** What an address may say: name and most characters of a value. */
const KEYS = {
  tab: 16,
  recipe: 32,
  preset: 16,
  data: 200,
  labels: 9,
  seed: 16,
  steps: 9,
  set: 200,
  view: 24,
  look: 200,
  kernel: 64,
  variant: 64,
  step: 16,
  op: 6,
  pass: 8,
  tape: 16,
  sizes: 16,
  filter: 64,
  family: 32,
  sort: 16,
} as const;

export type Key = keyof typeof KEYS;

const MOST_CHARACTERS = 8000;
const MOST_SETTINGS = 40;

const isKey = (name: string): name is Key => Object.hasOwn(KEYS, name);

/** What an address says, and what was wrong with it, for its reader. */
export interface Address {
  values: Partial<Record<Exclude<Key, 'set'>, string>>;
  /** Settings, `a.b=1`. */
  set: string[];
  problems: string[];
}

/** @param hash as in `location.hash` */
export function readAddress(hash: string): Address {
  const address: Address = { values: {}, set: [], problems: [] };
  if (hash.length > MOST_CHARACTERS) {
    address.problems.push(
      `the address has ${hash.length} characters, more than ${MOST_CHARACTERS}; none of it was taken`,
    );
    return address;
  }
  for (const [name, value] of new URLSearchParams(hash.replace(/^#/, ''))) {
    const shown = name.slice(0, 40);
    if (!isKey(name)) address.problems.push(`the address says '${shown}', which means nothing here`);
    else if (value.length > KEYS[name])
      address.problems.push(
        `'${name}' in the address has ${value.length} characters, more than ${KEYS[name]}`,
      );
    else if (name === 'set') {
      if (address.set.length < MOST_SETTINGS) address.set.push(value);
      else address.problems.push(`the address has more than ${MOST_SETTINGS} settings`);
    } else address.values[name] = value;
  }
  return address;
}

/** The address that `readAddress` understands, with `#`. */
export function writeAddress({ values, set }: Pick<Address, 'values' | 'set'>): string {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(values)) if (value !== undefined) query.append(name, value);
  for (const one of set) query.append('set', one);
  return `#${query}`;
}

/** Changes what the address of the page says, without another entry in its history. Undefined takes a name out. */
export function putInAddress(values: Address['values'], set?: readonly string[]): void {
  const before = readAddress(location.hash);
  const merged = { values: { ...before.values, ...values }, set: [...(set ?? before.set)] };
  history.replaceState(null, '', writeAddress(merged));
}
