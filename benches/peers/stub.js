// The HTTP endpoint of the comparison. It is the one that counts: which records arrived, and when.
//
// POST /plain takes any body, and its records count as delivered when the answer is written. Below /v1 it is a Kustomer that is
// never busy: a bulk request is accepted as a job, the job is complete at once, and its records count as delivered when the answer
// with the results of its items is written; or the job's status, if the items have no references. A body is searched, not parsed, so
// that this program is not what is measured.
//
// GET /stats shows the figures; POST /reset?records=N begins again and expects the records 0 to N-1.
'use strict';
const http = require('node:http');

const RAW = '"seq":'; // in a record
const MAPPED = '"seqNum":'; // in what a mapping made of it
const NINE = ['seqNum', 'carrierStr', 'serviceStr', 'depotStr', 'statusStr', 'weightNum', 'piecesNum', 'feeNum', 'fragileBool'].map((name) => `"${name}":`);
const REFERENCE = '"_clientRef":"';
const MAX_JOBS = 20000;
const QUOTA = { 'content-type': 'application/json', 'x-ratelimit-limit': '60000000', 'x-ratelimit-remaining': '59000000' };

let state = fresh(0);

function fresh(records) {
  return { expected: records, seen: new Uint8Array(records), distinct: 0, repeated: 0, foreign: 0, requests: 0, bulks: 0,
    bytes: 0, mapped: 0, faults: 0, first: null, half: null, last: null, sample: null, jobs: new Map(), made: 0 };
}

const now = () => performance.timeOrigin + performance.now();
const id = (number) => number.toString(16).padStart(24, '0');

// The number behind each occurrence of a marker.
function numbers(body, marker) {
  const found = [];
  for (let at = body.indexOf(marker); at >= 0; at = body.indexOf(marker, at)) {
    at += marker.length;
    while (body[at] === 0x20) at += 1;
    let number = 0;
    let digits = 0;
    for (; body[at] >= 0x30 && body[at] <= 0x39; at += 1, digits += 1) number = number * 10 + body[at] - 0x30;
    if (digits > 0) found.push(number);
  }
  return found;
}

function texts(body, marker) {
  const found = [];
  for (let at = body.indexOf(marker); at >= 0; at = body.indexOf(marker, at)) {
    at += marker.length;
    const end = body.indexOf('"', at);
    found.push(body.latin1Slice(at, end));
    at = end;
  }
  return found;
}

function delivered(records) {
  for (const number of records) {
    if (number >= state.expected) state.foreign += 1;
    else if (state.seen[number] === 1) state.repeated += 1;
    else {
      state.seen[number] = 1;
      state.distinct += 1;
      if (state.distinct * 2 >= state.expected) state.half ??= now();
      state.last = now();
    }
  }
}

function answer(response, status, body) {
  response.writeHead(status, { ...QUOTA, 'content-length': Buffer.byteLength(body) });
  response.end(body);
}

function records(body, arrived) {
  const mapped = numbers(body, MAPPED);
  const found = mapped.length > 0 ? mapped : numbers(body, RAW);
  if (found.length > 0) {
    state.first ??= arrived;
    state.sample ??= body.toString('utf8', 0, 700);
    state.bulks += 1;
  }
  state.mapped += mapped.length;
  // a mapping is whole or not at all
  if (mapped.length > 0 && !NINE.every((name) => body.includes(name))) state.faults += 1;
  return found;
}

function plain(body, arrived, response) {
  const found = records(body, arrived);
  answer(response, 200, '{}');
  delivered(found);
}

function submitted(body, arrived, response) {
  const found = records(body, arrived);
  const references = texts(body, REFERENCE);
  if (references.length > 0 && references.length !== found.length) state.faults += 1;
  state.made += 1;
  const job = id(state.made);
  state.jobs.set(job, { found, references, at: new Date().toISOString(), number: state.made });
  if (state.jobs.size > MAX_JOBS) state.jobs.delete(state.jobs.keys().next().value);
  const attributes = { status: 'queued', createdAt: new Date().toISOString() };
  answer(response, 202, JSON.stringify({ data: { type: 'bulk_operation', id: job, attributes, links: { self: `/v1/bulk/${job}` } } }));
}

function known(name, response) {
  const job = state.jobs.get(name);
  if (job === undefined) {
    state.faults += 1;
    answer(response, 404, '{}');
  }
  return job;
}

function status(name, response) {
  const job = known(name, response);
  if (job === undefined) return;
  answer(response, 200, JSON.stringify({ data: { type: 'bulk_operation', id: name, attributes: { status: 'complete' } } }));
  // who gave its items no references reads no results
  if (job.references.length === 0) delivered(job.found);
}

function results(name, response) {
  const job = known(name, response);
  if (job === undefined) return;
  const count = job.references.length;
  const items = job.references.map((reference, index) => `{"_clientRef":"${reference}","status":"created","objectId":"${id(job.number * 1000 + index)}"}`);
  answer(response, 200, `{"data":[{"type":"bulk_operation_batch","id":"${name}","attributes":{"status":"complete","completedAt":"${job.at}",`
    + `"successCount":${count},"failureCount":0,"results":[${items.join(',')}]}}]}`);
  delivered(job.found);
}

function single(body, arrived, response) {
  const found = records(body, arrived);
  state.made += 1;
  answer(response, 201, JSON.stringify({ data: { type: 'kobject.parcel', id: id(state.made * 1000), attributes: { rev: 1 } } }));
  delivered(found);
}

function control(request, response) {
  if (request.method === 'POST') state = fresh(Number(new URL(request.url, 'http://stub').searchParams.get('records')));
  const { seen, jobs, made, ...figures } = state;
  answer(response, 200, JSON.stringify(figures));
}

function route(request, body, arrived, response) {
  if (/^\/(stats|reset)\b/.test(request.url)) {
    control(request, response);
    return;
  }
  state.requests += 1;
  state.bytes += body.length;
  const job = request.url.match(/^\/v1\/bulk\/([0-9a-f]+)(\/batches)?/);
  if (job !== null && job[2] !== undefined) results(job[1], response);
  else if (job !== null) status(job[1], response);
  else if (request.method === 'POST' && request.url === '/v1/klasses/parcel/bulk') submitted(body, arrived, response);
  else if (request.method === 'POST' && request.url === '/v1/klasses/parcel') single(body, arrived, response);
  else if (request.method === 'POST' && request.url.startsWith('/plain')) plain(body, arrived, response);
  else answer(response, 404, '{}');
}

const server = http.createServer((request, response) => {
  const chunks = [];
  let arrived = null;
  request.on('data', (chunk) => {
    arrived ??= now();
    chunks.push(chunk);
  });
  request.on('end', () => route(request, chunks.length === 1 ? chunks[0] : Buffer.concat(chunks), arrived ?? now(), response));
});
server.keepAliveTimeout = 120000;
server.listen(0, '127.0.0.1', () => console.log(server.address().port));
