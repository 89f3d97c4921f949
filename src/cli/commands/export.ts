import { type ArgsDef, defineCommand } from 'citty';
import { version } from '../../../package.json';
import { useDevice } from '../../autograd/tensor.ts';
import { TracingDevice } from '../../gpu/tracing.ts';
import { writeWhole } from '../../train/durable.ts';
import { openAtWorkingSize } from '../../train/frames.ts';
import { encodeOnnx } from '../../train/onnx.ts';
import { inferenceGraph } from '../../train/onnx-graph.ts';
import { print, printJson } from '../output.ts';
import { openRun } from '../trained.ts';

const args = {
  run: { type: 'string', description: "folder that 'train' wrote", valueHint: 'DIR', required: true },
  onnx: { type: 'string', description: 'file to write', valueHint: 'FILE', required: true },
  json: { type: 'boolean', description: 'one JSON object on stdout' },
} as const satisfies ArgsDef;

export const exportRun = defineCommand({
  meta: { description: 'write the networks of a trained run as an ONNX file, for inference elsewhere' },
  args,
  async run({ args }) {
    const device = new TracingDevice();
    useDevice(device);
    const { plan, config } = await openRun(null, args.run);
    const { height, width } = await openAtWorkingSize(config.data, config);
    const names = new Map(
      Object.entries(plan.state).flatMap(([group, tensors]) =>
        Object.entries(tensors).map(([name, { storage }]) => [storage, `${group}/${name}`] as const),
      ),
    );
    const graph = inferenceGraph(device, (images) => ({ ...plan.predict(images) }), names, [height, width]);
    const bytes = encodeOnnx(graph, version);
    writeWhole(args.onnx, bytes);
    const { inputs, outputs, nodes } = graph;
    if (args.json) {
      printJson({ file: args.onnx, bytes: bytes.length, inputs, outputs, nodes: nodes.length });
      return;
    }
    print(`${args.onnx}: ${nodes.length} nodes, ${(bytes.length / 2 ** 20).toFixed(1)} MiB`);
    for (const { name, shape } of inputs) print(`input ${name} [${shape.join(', ')}] in [0, 1]`);
    for (const { name, shape } of outputs) print(`output ${name} [${shape.join(', ')}]`);
  },
});
