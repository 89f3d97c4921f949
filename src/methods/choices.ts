// What a configuration may choose among, by name. Apart from what the names do: a form of the studio shows them without the methods.

/**
 * What a segmentation network starts from. `scratch`: its own random values. `encoder`: the encoder of the depth network.
 * `encoder-decoder`: its decoder too, up to the last convolution.
 */
export const TRANSFERS = ['scratch', 'encoder', 'encoder-decoder'] as const;
export type Transfer = (typeof TRANSFERS)[number];

/** `none`: every image stays whole, with its own pseudo-label. */
export const MIXES = ['depthmix', 'classmix', 'cutmix', 'none'] as const;
export type Mix = (typeof MIXES)[number];

/**
 * `random`: the first of a permutation. `diversity`: furthest-first on depth features. `uncertainty`: where student and teacher
 * disagree most about depth. `both`: furthest-first with uncertainty added. `entropy`: where a segmentation student is least sure;
 * the baseline that needs labels.
 */
export const SELECTIONS = ['random', 'diversity', 'uncertainty', 'both', 'entropy'] as const;
export type SelectionMethod = (typeof SELECTIONS)[number];
