// What the views look at.

/** Pixels of the frames: few enough for each to be seen. */
export const WIDTH = 128;
export const HEIGHT = 64;

/** The street scenes, a snippet of the validation split each, by what is seen in them. */
export const SCENES = [
  ['0', 'black car'],
  ['1', 'yellow truck'],
  ['2', 'brick houses'],
  ['3', 'crossing'],
  ['4', 'blue car'],
  ['5', 'cyclist'],
] as const;

/** What a scene shows, for those who do not see it. */
export const sceneInWords = (scene: string): string => `a street, ${SCENES[Number(scene)][1]}`;

/** The part of a frame that the views of single windows look at. */
export const PATCH = { x: 62, y: 18, width: 48, height: 32 } as const;
