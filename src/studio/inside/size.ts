/** Pixels of the frames: few enough for each to be seen. */
export const WIDTH = 128;
export const HEIGHT = 64;
