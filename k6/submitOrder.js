// Orders from many buyers at once. MODE=submit waits for the outcome of each, MODE=notify for Kafka alone.
//   k6 run -e VUS=1000 -e DURATION=10s k6/submitOrder.js
import { load, sells, sendSubmitNotify, submit, supply } from './shop.js';

export const options = load(200, '10s', 2000, sells);

const send = { submit: () => submit(), notify: sendSubmitNotify }[__ENV.MODE || 'submit'];
if (!send) throw new Error('MODE is submit or notify');

export function setup() {
  supply(10000000);
}

export default function () {
  send();
}
