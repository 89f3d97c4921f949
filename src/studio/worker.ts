// The worker program of the page. Each section starts workers of its own, each with a device of its own, and calls what it needs.
import { insideApi } from './inside/api.ts';
import { measureApi } from './measure/api.ts';
import { serve } from './rpc.ts';
import { trainApi } from './train/api.ts';

serve({ ...trainApi, ...insideApi, ...measureApi });
