/** What the views of single windows look at: a part of a frame, small enough for each pixel to be seen. */
export const PATCH = { x: 62, y: 18, width: 48, height: 32 } as const;
