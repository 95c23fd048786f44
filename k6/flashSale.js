// A rush on a flash sale of STOCK units, LIMIT per user (0: none).
//   k6 run -e VUS=10000 -e DURATION=1s k6/flashSale.js
//   k6 run -e STOCK=500 -e LIMIT=1 -e USERS=3000 k6/flashSale.js
import { buy, load, openSale, sells } from './shop.js';

export const options = load(1000, '10s', 3000, sells);

export function setup() {
  openSale(10000000);
}

export default function () {
  buy();
}
