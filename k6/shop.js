// What all load scripts share: settings from the environment, calls of the gateway, and how answers are counted.
//
// GATEWAY   base URL of the gateway, http://127.0.0.1:8080
// VUS       virtual users; DURATION of the load (10s, 1m)
// USER      user id of the requests, 1; USERS > 1 spreads them over that many users from USER on
// PRODUCT   product id, 1
// STOCK     units to put in before the load; 0 leaves the shop as it is
// P95       milliseconds that 95 % of the requests must stay under
// ANSWERS   1 logs every 200 as "placed ORDER_ID" or "accepted ORDER_ID": run with --log-format raw
//           --console-output FILE and hand the file to python -m dev.invariants --answers FILE
import http from 'k6/http';
import { check, fail } from 'k6';
import { Counter } from 'k6/metrics';

export const number = (name, otherwise) => Number(__ENV[name] || otherwise);
export const gateway = (__ENV.GATEWAY || 'http://127.0.0.1:8080').replace(/\/$/, '') + '/api/v1';
export const product = number('PRODUCT', 1);

const firstUser = number('USER', 1);
const users = number('USERS', 1);
const logAnswers = __ENV.ANSWERS === '1';

// A refusal (409) is an answer, not a failure: sold out, out of stock, limit reached.
http.setResponseCallback(http.expectedStatuses(200, 409));

export const accepted = new Counter('accepted');
export const soldOut = new Counter('sold_out');
export const refused = new Counter('refused');

const headers = { 'Content-Type': 'application/json' };

// Options of a script with one constant load. `more` are further thresholds.
export function load(vus, duration, p95, more = {}) {
  return {
    vus: number('VUS', vus),
    duration: __ENV.DURATION || duration,
    thresholds: { ...thresholds(p95), ...more },
    summaryTrendStats: ['avg', 'min', 'med', 'p(95)', 'p(99)', 'max'],
  };
}

export function thresholds(p95) {
  return {
    checks: ['rate==1'],
    http_req_failed: ['rate==0'],
    http_req_duration: [`p(95)<${number('P95', p95)}`],
  };
}

// A load that brings its units sells some of them: a shop that refuses everybody is no fast shop.
export const sells = number('STOCK', 1) > 0 ? { accepted: ['count>0'] } : {};

export function user() {
  return users > 1 ? firstUser + Math.floor(Math.random() * users) : firstUser;
}

// Sends an order; gives its id, or nothing where it was refused. `kind` is what ANSWERS logs.
export function order(path, body, kind) {
  const answer = http.post(`${gateway}/${path}`, JSON.stringify(body), { headers, tags: { name: path } });
  check(answer, { 'accepted or refused': (it) => it.status === 200 || it.status === 409 });
  if (answer.status === 200) {
    accepted.add(1);
    if (logAnswers) console.log(`${kind} ${answer.json('data.orderID')}`);
    return answer;
  }
  if (answer.status === 409) {
    (answer.body.includes('"code":40901') ? soldOut : refused).add(1);
  } else {
    complain(path, answer);
  }
  return null;
}

function complain(path, answer) {
  if (__ENV.VERBOSE === '1') console.warn(`${path}: ${answer.status} ${answer.error} ${answer.body}`);
}

export const submit = (couponID = 0) =>
  order('order/submit', { userID: user(), productID: product, productCount: 1, amount: 87, couponID }, 'placed');

export const sendSubmitNotify = () =>
  order(
    'order/sendSubmitNotify',
    { userID: user(), productID: product, productCount: 1, amount: 88, couponID: 0 },
    'accepted',
  );

export const buy = () =>
  order('flashSale', { userID: user(), productID: product, amount: number('AMOUNT', 100) }, 'accepted');

// Creates something and gives the answer's data; a script cannot go on without it.
export function create(path, body) {
  const answer = http.post(`${gateway}/${path}`, JSON.stringify(body), { headers, tags: { name: path } });
  if (answer.status !== 200) fail(`${path}: ${answer.status} ${answer.error} ${answer.body}`);
  return answer.json('data');
}

export function get(path, name) {
  const answer = http.get(`${gateway}/${path}`, { tags: { name } });
  if (!check(answer, { found: (it) => it.status === 200 })) complain(path, answer);
  return answer;
}

// Before the load: ordinary stock, or a new sale, of STOCK units.
export function supply(otherwise) {
  const stock = number('STOCK', otherwise);
  if (stock > 0) create('stock', { productID: product, stock });
}

export function openSale(otherwise) {
  const stock = number('STOCK', otherwise);
  if (stock > 0) create('stock/setFlashSale', { productID: product, stock, limitPerUser: number('LIMIT', 0) });
}
