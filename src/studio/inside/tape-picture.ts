import type { TapeOp } from '../../train/tape-tree.ts';
import { choice, field, h } from '../dom.ts';
import { normText } from './tape-format.ts';
import type { ChannelPicture } from './tape-gpu.ts';

/** The longest side of a picture, CSS pixels. */
const SIDE = 320;

/**
 * The first image of an op's output: three channels as colours, otherwise one channel as grey.
 * @param ask for a channel; null: red, green and blue
 */
export function outputPicture(
  op: TapeOp,
  ask: (channel: number | null) => Promise<ChannelPicture>,
): HTMLElement {
  const [, height, width, channels] = op.outputs[0].shape;
  const canvas = h('canvas', {
    class: 'pixels',
    role: 'img',
    'aria-label': 'Picture of the output, on its way',
  });
  canvas.width = width;
  canvas.height = height;
  const scale = Math.min(SIDE / width, SIDE / height / 2);
  canvas.style.width = `${Math.round(width * scale)}px`;
  canvas.style.height = `${Math.round(height * scale)}px`;
  const caption = h('figcaption', {});

  async function show(channel: number | null): Promise<void> {
    try {
      const { image, low, high } = await ask(channel);
      const rgba = new ImageData(image.width, image.height);
      for (let i = 0; i < image.width * image.height; i++) {
        rgba.data.set(image.data.subarray(3 * i, 3 * i + 3), 4 * i);
        rgba.data[4 * i + 3] = 255;
      }
      canvas.getContext('2d')!.putImageData(rgba, 0, 0);
      const signed = (value: number) => `${value < 0 ? '−' : ''}${normText(Math.abs(value))}`;
      const which = channel === null ? 'as colours' : `channel ${channel + 1} of ${channels}, as grey`;
      const text = `First image, ${which}: black is ${signed(low)}, white ${signed(high)}`;
      caption.textContent = text;
      canvas.setAttribute('aria-label', `Output of ${op.name}, op ${op.id}. ${text}.`);
    } catch (error) {
      canvas.hidden = true;
      caption.textContent = `No picture: ${(error as Error).message}`;
    }
  }

  const first = channels === 3 ? null : 0;
  show(first);
  const chooser =
    channels > 1
      ? field(
          'Channel',
          choice(
            [
              ...(channels === 3 ? [['', 'red, green, blue'] as const] : []),
              ...Array.from({ length: channels }, (_, c) => [String(c), String(c + 1)] as const),
            ],
            first === null ? '' : '0',
            (value) => show(value === '' ? null : Number(value)),
          ),
        )
      : null;
  return h('figure', { class: 'tape-picture' }, canvas, h('div', {}, caption, chooser));
}
