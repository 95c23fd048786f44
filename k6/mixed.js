// Everything at once at a steady rate: submits, buffered orders, flash-sale purchases, lists and new rows, for DURATION.
// RATE is in rounds a second; a round is one submit, two buffered orders, four purchases, one page and a fifth of a row.
//   k6 run -e RATE=100 -e DURATION=10m k6/mixed.js
import { buy, create, number, openSale, sells, sendSubmitNotify, submit, supply, thresholds } from './shop.js';
import { page } from './list.js';

const rate = number('RATE', 50);

const arrivals = (exec, perSecond) => ({
  executor: 'constant-arrival-rate',
  exec,
  rate: perSecond * 5,
  timeUnit: '5s',
  duration: __ENV.DURATION || '10m',
  preAllocatedVUs: Math.ceil(perSecond / 4) + 5,
  maxVUs: perSecond * 5 + 50,
});

export const options = {
  scenarios: {
    submits: arrivals('submits', rate),
    buffered: arrivals('buffered', rate * 2),
    flashSales: arrivals('flashSales', rate * 4),
    lists: arrivals('lists', rate),
    rows: arrivals('rows', rate / 5),
  },
  thresholds: { ...thresholds(1000), ...sells, dropped_iterations: ['count==0'] },
  summaryTrendStats: ['avg', 'min', 'med', 'p(95)', 'p(99)', 'max'],
};

export function setup() {
  supply(10000000);
  openSale(10000000);
}

export const submits = () => submit();
export const buffered = sendSubmitNotify;
export const flashSales = buy;
export const lists = page;

export function rows() {
  const name = `mixed-${__VU}-${__ITER}-${Date.now()}`;
  create('user', { name, password: `${name}-secret`, email: `${name}@example.org` });
  create('product', { name, price: 100 });
  create('coupon', { userID: 1, amount: 10 });
}
