// A little of everything: each round makes a coupon, orders with it, orders through Kafka, buys from the flash sale,
// reads the order back and pages a list. Products are new in each run.
import { check } from 'k6';
import { create, get, load, order } from './shop.js';
import { page } from './list.js';

export const options = load(10, '10s', 1000);

export function setup() {
  const name = `smoke-${Date.now()}`;
  const userID = create('user', { name, password: `${name}-secret`, email: `${name}@example.org` }).id;
  const productID = create('product', { name, price: 100 }).id;
  create('stock', { productID, stock: 1000000 });
  create('stock/setFlashSale', { productID, stock: 1000000 });
  return { userID, productID };
}

export default function ({ userID, productID }) {
  const couponID = create('coupon', { userID, amount: 13 }).id;
  const purchase = { userID, productID, productCount: 1 };
  const placed = order('order/submit', { ...purchase, amount: 87, couponID }, 'placed');
  check(placed, { placed: (it) => it !== null });
  const again = order('order/submit', { ...purchase, amount: 87, couponID }, 'placed');
  check(again, { 'a coupon is used once': (it) => it === null });
  check(order('order/sendSubmitNotify', { ...purchase, amount: 88, couponID: 0 }, 'accepted'), {
    buffered: (it) => it !== null,
  });
  check(order('flashSale', { userID, productID, amount: 100 }, 'accepted'), { bought: (it) => it !== null });
  if (placed) {
    const found = get(`order/${placed.json('data.orderID')}`, 'order/{orderID}');
    check(found, { 'the order is to pay': (it) => it.json('data.status') === 1 });
  }
  page();
}
