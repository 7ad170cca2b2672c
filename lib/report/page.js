/* The timeline and the list of steps: from the columns in #data. State stands in the address: #q=WORDS&status=NAME&sort=COLUMN */
'use strict';
document.addEventListener('DOMContentLoaded', () => {
	const D = JSON.parse(document.getElementById('data').textContent);
	const N = D.name.length, ROW = 26;
	const lower = D.name.map((s, i) => (D.seq[i] ? D.seq[i] + ' ' : '') + s.toLowerCase());
	const end = i => D.began[i] + (D.slot[i] ? D.wall[i] : 0);
	const unlisted = D.fresh - D.status.reduce((sum, s) => sum + (s === 1), 0);
	const onPath = new Uint8Array(N);
	for (const i of D.path)
		onPath[i] = 1;

	/* ---- text ---- */

	function make(tag, attributes, ...children) {
		const e = document.createElement(tag);
		for (const k in attributes)
			if (attributes[k] !== undefined && attributes[k] !== false)
				e.setAttribute(k, attributes[k] === true ? '' : attributes[k]);
		e.append(...children);
		return e;
	}
	/* As the program writes them: cut off, not rounded. */
	function duration(us) {
		const s = Math.floor(us / 1e6), pad = n => String(n).padStart(2, '0');
		if (us < 10000 && us % 1000)
			return Math.floor(us / 1000) + '.' + Math.floor(us / 100) % 10 + 'ms';
		if (s < 1)
			return Math.floor(us / 1000) + 'ms';
		if (s < 10)
			return s + '.' + pad(Math.floor(us / 10000) % 100) + 's';
		if (s < 60)
			return s + '.' + Math.floor(us / 100000) % 10 + 's';
		if (s < 3600)
			return Math.floor(s / 60) + 'm' + pad(s % 60) + 's';
		if (s < 86400)
			return Math.floor(s / 3600) + 'h' + pad(Math.floor(s / 60) % 60) + 'm';
		return Math.floor(s / 86400) + 'd' + pad(Math.floor(s / 3600) % 24) + 'h';
	}
	function size(bytes) {
		if (!bytes)
			return '';
		const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
		let u = 0;
		for (; bytes >= 1024 && u < 4; u++)
			bytes /= 1024;
		return bytes.toFixed(bytes < 10 && u ? 1 : 0) + ' ' + units[u];
	}
	const title = i => (D.seq[i] ? D.seq[i] + '  ' : '') + D.name[i];
	const many = new Set(D.host.filter(h => h)).size > 1;
	const where = i => D.slot[i] ? (many ? D.host[i] + ' ' : 'slot ') + D.slot[i] : '';
	function ended(i) {
		const how = D.exit[i] < 0 ? 'signal ' + -D.exit[i] : D.exit[i] > 0 ? 'exit ' + D.exit[i] : '';
		return how && D.reason[i] ? how + ': ' + D.reason[i] : how || D.reason[i];
	}

	/* ---- what is shown ---- */

	const columns = [
		{key: 'step', width: '30%', text: title, by: i => D.name[i], cmp: (a, b) => a < b ? -1 : a > b ? 1 : 0},
		{key: 'status', width: '7rem', text: i => D.statuses[D.status[i]], by: i => D.status[i]},
		{key: 'began', n: true, width: '6.5rem', text: i => duration(D.began[i]), by: i => D.began[i]},
		{key: 'took', n: true, width: '6.5rem', text: i => D.slot[i] ? duration(D.wall[i]) : '', by: i => D.slot[i] ? -D.wall[i] : 1},
		{key: 'cpu', n: true, width: '6.5rem', text: i => D.slot[i] ? duration(D.cpu[i]) : '', by: i => -D.cpu[i]},
		{key: 'memory', n: true, width: '6rem', text: i => size(D.rss[i]), by: i => -D.rss[i]},
		{key: 'where', width: '8rem', text: where, by: i => D.slot[i] || 1e9},
		{key: 'why', width: '40%', text: ended, by: ended, cmp: (a, b) => a < b ? -1 : a > b ? 1 : 0},
	];
	const colors = ['ran', 'fresh', 'restored', 'failed', 'other', 'other', 'timeout', 'ran', 'restored', 'other', 'other'];
	const state = {q: '', status: '', sort: 'began', one: -1};
	let shown = [], match = new Uint8Array(N), view = [0, 1];

	function read() {
		const p = new URLSearchParams(location.hash.slice(1));
		state.q = p.get('q') || '';
		state.status = D.statuses.includes(p.get('status')) ? p.get('status') : '';
		state.sort = columns.some(c => c.key === p.get('sort')) ? p.get('sort') : 'began';
		state.one = p.has('step') ? D.name.indexOf(p.get('step')) : -1;
	}
	function write() {
		const p = new URLSearchParams();
		if (state.q)
			p.set('q', state.q);
		if (state.status)
			p.set('status', state.status);
		if (state.sort !== 'began')
			p.set('sort', state.sort);
		const hash = p.toString();
		history.replaceState(null, '', hash ? '#' + hash : location.pathname + location.search);
	}
	function choose() {
		const words = state.q.toLowerCase().split(/\s+/).filter(w => w);
		const status = D.statuses.indexOf(state.status), column = columns.find(c => c.key === state.sort);
		shown = [];
		for (let i = 0; i < N; i++) {
			match[i] = (status < 0 || D.status[i] === status) && words.every(w => lower[i].includes(w)) ? 1 : 0;
			if (match[i])
				shown.push(i);
		}
		const keys = shown.map(column.by), order = shown.map((_, k) => k), cmp = column.cmp || ((a, b) => a - b);
		order.sort((a, b) => cmp(keys[a], keys[b]) || shown[a] - shown[b]);
		shown = order.map(k => shown[k]);
		for (const e of document.querySelectorAll('#failures details'))
			e.hidden = !match[e.dataset.i];
		for (const e of document.querySelectorAll('#failures'))
			e.hidden = !e.querySelector('details:not([hidden])');
	}

	/* ---- the bar ---- */

	const input = make('input', {type: 'search', placeholder: 'Filter by name', 'aria-label': 'Filter by name'});
	const count = make('span', {id: 'count', 'aria-live': 'polite'});
	const chips = D.statuses.map((name, s) => {
		const n = D.status.reduce((sum, x) => sum + (x === s), 0);
		const mark = make('i');
		mark.style.background = 'var(--' + colors[s] + ')';
		const b = make('button', {type: 'button', 'data-status': name}, mark, name + ' ' + n);
		b.hidden = !n;
		b.onclick = () => {
			state.status = state.status === name ? '' : name;
			write();
			update();
		};
		return b;
	});
	input.oninput = () => {
		state.q = input.value;
		write();
		update();
	};

	/* ---- the timeline ---- */

	const LINE = 16, LEFT = 120, HEAD = 22;
	const lanes = [], laneOf = new Map();
	for (let i = 0; i < N; i++) {
		const key = D.slot[i] ? D.host[i] + '\n' + String(D.slot[i]).padStart(6, '0') : D.status[i] === 2 ? '\nrestored' : '';
		if (!key)
			continue;
		if (!laneOf.has(key))
			laneOf.set(key, {key, label: D.slot[i] ? where(i) : 'restored', ticks: !D.slot[i], steps: []});
		laneOf.get(key).steps.push(i);
	}
	for (const key of [...laneOf.keys()].sort((a, b) => laneOf.get(a).ticks - laneOf.get(b).ticks || (a < b ? -1 : 1)))
		lanes.push(laneOf.get(key));
	for (const lane of lanes)
		lane.steps.sort((a, b) => D.began[a] - D.began[b]);
	let whole = D.took;
	for (let i = 0; i < N; i++)
		whole = Math.max(whole, end(i));
	whole = Math.max(whole, 1);
	view = [0, whole];

	const canvas = make('canvas', {role: 'img', 'aria-label': 'Timeline by host and slot; the list below has the same'});
	const time = make('div', {id: 'time'}, canvas), tip = make('div', {id: 'tip', hidden: true});
	const reset = make('button', {type: 'button', hidden: true}, 'Whole run');
	let width = 0, drag = null;
	const x_of = us => LEFT + (us - view[0]) / (view[1] - view[0]) * (width - LEFT - 8);
	const at_x = x => view[0] + (x - LEFT) / (width - LEFT - 8) * (view[1] - view[0]);

	function axis(c, css, height) {
		const span = view[1] - view[0], want = span / Math.max(2, (width - LEFT) / 110);
		let step = Math.pow(10, Math.ceil(Math.log10(want)));
		if (step / 5 >= want)
			step /= 5;
		else if (step / 2 >= want)
			step /= 2;
		step = Math.max(1, step);
		c.fillStyle = css('--dim');
		c.strokeStyle = css('--line');
		for (let t = Math.ceil(view[0] / step) * step; t <= view[1]; t += step) {
			const x = Math.round(x_of(t)) + 0.5;
			c.beginPath();
			c.moveTo(x, HEAD - 4);
			c.lineTo(x, height);
			c.stroke();
			if (x < width - 45)
				c.fillText(!t ? '0' : step < 100 ? Math.round(t) + 'µs' : duration(Math.round(t)), x + 3, 13);
		}
	}
	function draw() {
		const style = getComputedStyle(document.documentElement), css = name => style.getPropertyValue(name).trim();
		const ratio = window.devicePixelRatio || 1, height = HEAD + lanes.length * LINE + 6;
		width = Math.max(320, time.clientWidth);
		canvas.width = Math.round(width * ratio);
		canvas.height = Math.round(height * ratio);
		canvas.style.width = width + 'px';
		canvas.style.height = height + 'px';
		const c = canvas.getContext('2d'), fill = colors.map(name => css('--' + name)), path = css('--path');
		c.scale(ratio, ratio);
		c.font = '11px system-ui, sans-serif';
		axis(c, css, height);
		lanes.forEach((lane, k) => {
			const y = HEAD + k * LINE;
			c.globalAlpha = 1;
			c.fillStyle = css('--dim');
			c.fillText(lane.label.length > 18 ? lane.label.slice(0, 17) + '…' : lane.label, 6, y + 12);
			for (const i of lane.steps) {
				if (end(i) < view[0] || D.began[i] > view[1])
					continue;
				const a = Math.max(LEFT, x_of(D.began[i])), b = Math.min(width - 8, x_of(end(i)));
				c.globalAlpha = match[i] ? 1 : 0.15;
				c.fillStyle = fill[D.status[i]];
				c.fillRect(a, y + 2, Math.max(lane.ticks ? 2 : 1, b - a - (b - a > 3 ? 1 : 0)), LINE - 4);
				if (onPath[i]) {
					c.fillStyle = path;
					c.fillRect(a, y + LINE - 4, Math.max(1, b - a), 3);
				}
				if (i === state.one) {
					c.strokeStyle = css('--fore');
					c.strokeRect(a + 0.5, y + 1.5, Math.max(2, b - a), LINE - 3);
				}
			}
		});
		c.globalAlpha = 0.25;
		if (drag && drag.moved) {
			c.fillStyle = css('--ran');
			c.fillRect(Math.min(drag.from, drag.to), HEAD, Math.abs(drag.to - drag.from), height);
		}
		reset.hidden = view[0] === 0 && view[1] === whole;
	}
	function hit(e) {
		const box = canvas.getBoundingClientRect(), x = e.clientX - box.left;
		const lane = lanes[Math.floor((e.clientY - box.top - HEAD) / LINE)], near = 3 * (view[1] - view[0]) / width;
		let best = -1, distance = near;
		if (!lane || x < LEFT - 3)
			return -1;
		for (const i of lane.steps) {
			const t = at_x(x), d = t < D.began[i] ? D.began[i] - t : t > end(i) ? t - end(i) : -1;
			if (d < distance) {
				best = i;
				distance = d;
			}
		}
		return best;
	}
	const place = e => Math.max(LEFT, e.clientX - canvas.getBoundingClientRect().left);
	canvas.onpointerdown = e => {
		drag = {from: place(e), to: place(e), moved: false};
		canvas.setPointerCapture(e.pointerId);
	};
	canvas.onpointermove = e => {
		if (drag) {
			drag.to = place(e);
			drag.moved = drag.moved || Math.abs(drag.to - drag.from) > 4;
			draw();
			return;
		}
		const i = hit(e);
		tip.hidden = i < 0;
		if (i < 0)
			return;
		tip.replaceChildren(make('b', {}, title(i)), make('br'), D.statuses[D.status[i]] + ', at ' + duration(D.began[i]) +
			(D.slot[i] ? ', took ' + duration(D.wall[i]) : '') + (onPath[i] ? ', on the critical path' : ''));
		tip.style.left = Math.min(e.clientX + 12, innerWidth - tip.offsetWidth - 8) + 'px';
		tip.style.top = Math.min(e.clientY + 14, innerHeight - tip.offsetHeight - 8) + 'px';
	};
	canvas.onpointerleave = () => {
		tip.hidden = true;
	};
	canvas.onpointerup = e => {
		const d = drag;
		drag = null;
		if (d && d.moved) {
			const a = at_x(Math.min(d.from, d.to)), b = Math.min(whole, at_x(Math.max(d.from, d.to)));
			if (b - a >= 10)
				view = [a, b];
		} else if (d) {
			open_one(hit(e));
		}
		draw();
	};
	reset.onclick = canvas.ondblclick = () => {
		view = [0, whole];
		draw();
	};

	/* ---- one step ---- */

	const one = make('section', {id: 'one', hidden: true});
	function open_one(i) {
		state.one = i;
		one.hidden = i < 0;
		if (i >= 0) {
			const close = make('button', {type: 'button', 'aria-label': 'Close'}, '×'), list = make('dl');
			const add = (key, value) => value && list.append(make('dt', {}, key), make('dd', {}, value));
			close.onclick = () => open_one(-1);
			add('status', D.statuses[D.status[i]]);
			add('why', ended(i));
			add('began at', duration(D.began[i]));
			add('took', D.slot[i] || D.status[i] === 2 ? duration(D.wall[i]) + (D.slot[i] ? '' : ' when it was computed') : '');
			add('processor time', D.slot[i] ? duration(D.cpu[i]) : '');
			add('memory', size(D.rss[i]));
			add('where', D.slot[i] ? D.host[i] + ', slot ' + D.slot[i] : '');
			add('attempts', D.attempt[i] > 1 ? String(D.attempt[i]) : '');
			add('key', D.key[i]);
			if (D.waited[i] >= 0) {
				const b = make('button', {type: 'button'}, title(D.waited[i]));
				b.style.float = 'none';
				b.onclick = () => open_one(D.waited[i]);
				add('waited last for', b);
			}
			one.replaceChildren(close, make('h3', {}, title(i) || '(no name)'), list);
		}
		draw();
		fill();
	}

	/* ---- the list: only the rows in sight are there ---- */

	const body = make('tbody'), head = make('tr');
	const rows = make('div', {id: 'rows', tabindex: 0}, make('table', {}, make('thead', {}, head), body));
	for (const c of columns) {
		const th = make('th', {class: c.n ? 'n' : undefined, scope: 'col'}, c.key);
		th.style.width = c.width;
		th.onclick = () => {
			state.sort = c.key;
			write();
			update();
		};
		head.append(th);
		c.th = th;
	}
	function gap(n) {
		const td = make('td', {colspan: columns.length}), tr = make('tr', {class: 'gap', 'aria-hidden': 'true'}, td);
		td.style.height = n * ROW + 'px';
		return tr;
	}
	function fill() {
		const seen = Math.ceil(rows.clientHeight / ROW) + 20;
		const first = Math.max(0, Math.min(shown.length - 1, Math.floor(rows.scrollTop / ROW) - 10));
		const last = Math.min(shown.length, first + seen), list = [gap(first)];
		for (let k = first; k < last; k++) {
			const i = shown[k], tr = make('tr', {'data-i': i, class: i === state.one ? 'on' : undefined});
			columns.forEach((c, n) => {
				const text = c.text(i), bad = n === 1 && (D.status[i] === 3 || D.status[i] === 6);
				tr.append(make('td', {class: c.n ? 'n' : bad ? 'bad' : undefined, title: n === 0 || n === 7 ? text : undefined}, text));
			});
			list.push(tr);
		}
		list.push(gap(shown.length - last));
		body.replaceChildren(...list);
	}
	body.onclick = e => {
		const tr = e.target.closest('tr[data-i]');
		if (tr)
			open_one(Number(tr.dataset.i) === state.one ? -1 : Number(tr.dataset.i));
	};
	let waiting = false;
	rows.onscroll = () => {
		if (waiting)
			return;
		waiting = true;
		requestAnimationFrame(() => {
			waiting = false;
			fill();
		});
	};

	/* ---- all together ---- */

	function update() {
		choose();
		if (input.value !== state.q)
			input.value = state.q;
		count.textContent = (shown.length === N ? '' : shown.length + ' of ') + N + (N === 1 ? ' step' : ' steps') +
			(unlisted > 0 ? '; ' + unlisted + ' fresh ones are not listed' : '');
		for (const b of chips)
			b.setAttribute('aria-pressed', String(b.dataset.status === state.status));
		for (const c of columns)
			c.th.setAttribute('aria-sort', c.key === state.sort ? 'ascending' : 'none');
		rows.style.height = Math.min(shown.length * ROW + ROW + 2, Math.max(260, innerHeight * 0.7)) + 'px';
		rows.scrollTop = 0;
		draw();
		fill();
	}
	const legend = D.path.length ? make('span', {class: 'dim'}, 'Critical path underlined. ') : '';
	document.getElementById('app').append(
		make('div', {class: 'bar'}, input, ...chips, count),
		make('h2', {}, 'Timeline'),
		make('p', {class: 'dim'}, legend, 'Drag to look closer, double-click for the whole. ', reset),
		time, one, make('h2', {}, 'Steps'), rows, tip);
	time.hidden = lanes.length === 0;
	addEventListener('hashchange', () => {
		read();
		update();
		open_one(state.one);
	});
	addEventListener('resize', () => {
		draw();
		fill();
	});
	matchMedia('(prefers-color-scheme: dark)').addEventListener('change', draw);
	for (const e of document.querySelectorAll('.short tr[data-i]'))
		e.onclick = () => open_one(Number(e.dataset.i));
	read();
	update();
	if (state.one >= 0)
		open_one(state.one);
});
