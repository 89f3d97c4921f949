export function importGraph(root: string): Map<string, string[]>;
export function faults(graph: ReadonlyMap<string, readonly string[]>): string[];
