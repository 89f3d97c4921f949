// The small form of zod, which a page can afford, says 'Invalid input' of everything until it is given a language.

import { config } from 'zod/mini';
import english from 'zod/v4/locales/en.js';

config(english());
