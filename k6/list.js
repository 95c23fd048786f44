// Pages of every list of the gateway.
import { get, load } from './shop.js';

export const options = load(50, '10s', 1000);

const LISTS = ['user', 'product', 'coupon', 'stock', 'order'];

export function page() {
  const name = LISTS[Math.floor(Math.random() * LISTS.length)];
  get(`${name}/list?page=${Math.floor(Math.random() * 3)}&limit=20&sort=-id`, `${name}/list`);
}

export default page;
