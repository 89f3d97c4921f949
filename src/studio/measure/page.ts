import type { PresetName } from '../../train/config.ts';
import { putInAddress, readAddress } from '../address.ts';
import { choice, field, h } from '../dom.ts';
import { notice, report } from '../notices.ts';
import type { Section } from '../section.ts';
import { KernelView } from './kernel.ts';
import { Lab } from './lab.ts';
import type { AdapterLimits, KernelFacts } from './protocol.ts';
import type { Settings } from './settings.ts';
import { bytesRate, clockText, duration, flopsRate, notMeasured, origin } from './show.ts';
import { Table } from './table.ts';

const figure = (title: string, value: string | null): HTMLDivElement =>
  h('div', {}, h('dt', {}, title), h('dd', {}, value ?? notMeasured(), ' ', value && origin('measured')));

const limitsList = (limits: AdapterLimits | null): HTMLDListElement =>
  h(
    'dl',
    {},
    figure('Multiply-adds', limits && flopsRate(limits.gflops)),
    figure('Copy bandwidth', limits && bytesRate(limits.gbps)),
    figure('Empty dispatch', limits && duration(limits.emptyMs)),
    h('div', {}, h('dt', {}, 'Clock'), h('dd', {}, limits ? clockText(limits) : notMeasured())),
  );

export async function mountMeasure(root: HTMLElement): Promise<Section> {
  const lab = new Lab();
  const [kernels, presets] = await Promise.all([lab.call('kernels'), lab.call('presets')]);
  const strip = h('div', { role: 'group', 'aria-label': 'Limits of this adapter' }, limitsList(null));
  const long = h('input', { type: 'checkbox' });
  let preset: PresetName = 'tiny';
  const settings: Settings = {
    get preset() {
      return preset;
    },
    get long() {
      return long.checked;
    },
    async limits() {
      const limits = await lab.limits();
      strip.replaceChildren(limitsList(limits));
      return limits;
    },
  };
  const sizes = choice(presets, preset, (name) => {
    putInAddress({ sizes: name });
    read();
  });
  const table = new Table(lab, settings, kernels, (name) => {
    putInAddress({ kernel: name, variant: undefined });
    read();
  });
  const view = new KernelView(lab, settings, () => {
    const { kernel } = readAddress(location.hash).values;
    putInAddress({ kernel: undefined, variant: undefined });
    read();
    table.focus(kernel);
  });
  root.replaceChildren(
    h(
      'div',
      { class: 'limits' },
      field('Sizes of preset', sizes),
      strip,
      h(
        'label',
        {
          class: 'tick field',
          title:
            'Where a dispatch holds the GPU for about two seconds, Windows resets the driver (TDR), and every page loses its device.',
        },
        h('span', {}, 'Estimated above 250 ms'),
        h('span', {}, long, ' run it too'),
      ),
    ),
    table.element,
    view.element,
  );

  let counted: PresetName | null = null;
  /** Shows what the address says. */
  function read(): void {
    const { values } = readAddress(location.hash);
    if (values.sizes !== undefined && !presets.includes(values.sizes as PresetName)) {
      notice('warning', `the address names the preset '${values.sizes}'; there are ${presets.join(', ')}.`);
      putInAddress({ sizes: undefined });
    } else preset = (values.sizes as PresetName) ?? 'tiny';
    sizes.value = preset;
    const kernel = kernelOf(values.kernel);
    const variant = kernel && variantOf(kernel, values.variant);
    table.element.hidden = kernel !== null;
    view.element.hidden = kernel === null;
    if (kernel) {
      table.stop();
      void view.show(kernel, variant);
    } else view.leave();
    table.read(values);
    if (counted === preset) return;
    counted = preset;
    table.sizes().catch((error) => {
      counted = null;
      report(error);
    });
  }

  function kernelOf(name: string | undefined): KernelFacts | null {
    if (name === undefined) return null;
    const found = kernels.find((one) => one.name === name);
    if (found) return found;
    notice('warning', `the address names the kernel '${name}', which is not there.`);
    putInAddress({ kernel: undefined, variant: undefined });
    return null;
  }

  function variantOf(kernel: KernelFacts, name: string | undefined): string | null {
    if (name === undefined) return null;
    if (kernel.variants.some((one) => one.name === name)) return name;
    const names = kernel.variants.map((one) => one.name).join(', ');
    notice('warning', `${kernel.name} has no variant '${name}'; it has ${names}.`);
    putInAddress({ variant: undefined });
    return null;
  }

  read();
  return { shown: read };
}
