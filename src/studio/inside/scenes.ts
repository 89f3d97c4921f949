/** The street scenes, a snippet of the validation split each, by what is seen in them. */
export const SCENES = [
  ['0', 'black car'],
  ['1', 'yellow truck'],
  ['2', 'brick houses'],
  ['3', 'crossing'],
  ['4', 'blue car'],
  ['5', 'cyclist'],
] as const;
