// SPDX-License-Identifier: MIT
// Requests that two readers may read differently, for the comparison with Node's parser (R10).
'use strict';
const H = 'Host: a\r\n';
const GET = 'GET / HTTP/1.1\r\n' + H;
const POST = 'POST /rpc HTTP/1.1\r\n' + H;
const NEXT = 'GET /next HTTP/1.1\r\n' + H + '\r\n';
const INNER = 'GET /inner HTTP/1.1\r\n' + H + '\r\n';

const lengths = ['5', '05', '005', '0', '00', '-0', '+5', '-5', '5 ', ' 5', '\t5', '5\t', '5 5', '5,5',
    '5, 5', '0x5', '5h', '5.0', '5e0', '', ' ', '"5"', '5;', '\v5', '\f5', '5\0', '\0', '５', '4', '6',
    '1234567', '2147483647', '2147483648', '4294967295', '4294967296', '4294967301',
    '9223372036854775807', '9223372036854775808', '18446744073709551615', '18446744073709551616',
    '18446744073709551621', '340282366920938463463374607431768211461', '5\r\n 5', '5\r\n\t', '\r\n 5',
    '5\n', '5\r', '\r5', '\n5', '5 \0', '5\x7f', '5\x80', '\u00a05', '1_0', 'a', '5GET'];

const codings = ['chunked', 'Chunked', 'CHUNKED', ' chunked', 'chunked ', 'xchunked', 'chunkedx', 'x, chunked',
    'chunked, x', 'chunked, chunked', 'identity', 'identity, chunked', 'gzip', 'gzip, chunked', '"chunked"',
    'chunked;a=b', '\tchunked', '\vchunked', 'chunked\0', '', ',chunked', 'chunked,', ' ,chunked', 'chu nked',
    'chunke', '\r\n chunked', 'chunk\u00e9d', 'cow', 'chunked\r', 'trailers'];

const chunks = ['5\r\nhello\r\n0\r\n\r\n', '5;a=b\r\nhello\r\n0\r\n\r\n', '0\r\n\r\n', '5\nhello\n0\n\n',
    '5\r\nhello0\r\n\r\n', '05\r\nhello\r\n0\r\n\r\n', '5 \r\nhello\r\n0\r\n\r\n', '0x5\r\nhello\r\n0\r\n\r\n',
    '+5\r\nhello\r\n0\r\n\r\n', '-5\r\nhello\r\n0\r\n\r\n', '\r\nhello\r\n0\r\n\r\n', 'ffffffffffffffff\r\nhello\r\n0\r\n\r\n',
    '10000000000000005\r\nhello\r\n0\r\n\r\n', '5\r\nhello\r\n0\r\nA: b\r\n\r\n', '5\r\nhello\r\n0\r\nContent-Length: 9\r\n\r\n',
    '5\rxhello\r\n0\r\n\r\n', '5\r\nhelloXX0\r\n\r\n', '5\r\nhello\r\n00\r\n\r\n', '5;\n\r\nhello\r\n0\r\n\r\n'];

const fields = ['A: b', 'A : b', ' A: b', 'A:b', 'A:', ':b', 'A', 'A\t: b', '\tA: b', 'A: b\n', 'A: b\r', 'A\0: b', 'A: \0',
    'A: b\0c', 'A: b\r\n c', 'A: b\r\n\tc', 'A: b\r\n ', 'A:: b', 'A: b: c', 'A(: b', 'A): b', 'A<: b', 'A@: b', 'A,: b',
    'A;: b', 'A\\: b', 'A": b', 'A/: b', 'A[: b', 'A?: b', 'A=: b', 'A{: b', 'A}: b', 'A b: c', '\u00c4: b', 'A: \u00c4',
    'A: \x01', 'A: \x1f', 'A: \x7f', 'A: \x80', 'A: \xff', 'A: b\x0bc', 'A: b\x0cc', 'A: \tb\t', 'A: b\rc', 'A: b\nc: d',
    'A: b\r\r\nC: d', 'A: b\n\nGET /inner HTTP/1.1', '_: b', "!#$%&'*+-.^_`|~0: b", 'Host: b', 'host: a', 'HOST : b',
    'Host:', 'Connection: close', 'Connection: keep-alive', 'Connection: close, x', 'Connection: x,close', 'Connection: "close"',
    'Connection: closed', 'Connection: Close', 'Connection:\tclose', 'Connection: Upgrade\r\nUpgrade: h2c', 'Upgrade: websocket',
    'Connection: Upgrade', 'Connection: keep-alive, Upgrade\r\nUpgrade: websocket', 'Connection: HTTP2-Settings',
    'Proxy-Connection: close', 'Expect: 100-continue', 'Expect: 100-Continue', 'Expect: 200-ok', 'Expect:', 'Expect: 100-continue, x',
    'Expect: 100-continue\r\nExpect: x', 'Transfer-Encoding: chunked', 'Transfer-Encoding : chunked', 'Transfer-Encoding\t: chunked',
    'Transfer_Encoding: chunked', 'Transfer-Encoding:chunked', 'X: y\r\n Transfer-Encoding: chunked', 'X: y\nTransfer-Encoding: chunked',
    'X: y\rTransfer-Encoding: chunked', 'TE: trailers', 'Trailer: A', 'Cookie: a=b', 'Cookie: a=b\r\nCookie: c=d', 'Cookie:',
    'Origin: null', 'Origin: http://a', 'Content-Type: a/b\r\nContent-Type: c/d', 'Content-Length : 5', 'Content_Length: 5',
    'Content-Length\0: 5', 'Content-Length: 5\r\n Content-Length: 6', 'X: y\nContent-Length: 5', 'Content-Encoding: gzip',
    'Keep-Alive: timeout=5', 'Range: bytes=0-', 'HTTP2-Settings: AAMAAABkAAQAAP__'];

const hosts = ['a', 'a:80', 'A', '', ' ', 'a b', 'a,b', 'a/b', 'a@b', 'a\\b', '[::1]', '[::1]:80', '[::1', 'a?b', 'a#b', 'a%00', '%61',
    'a\tb', 'a:', ':80', 'a:b', 'a:80:80', 'b\r\n a', '\u00e4', '"a"', "a'", 'a;b', '*', 'a\0', '-', '..', 'xn--a', '127.0.0.1', '0x7f.1'];

const targets = ['/', '//', '/a', '/a?b', '/a?', '/?', '/a?b?c', '/a#b', '*', 'a', '?a', '#a', '', 'http://a/', 'http://b/', 'HTTP://a/x',
    'http:///', 'http://a@b/', 'https://a/', 'a:80', '//a/b', '/a b', '/a\tb', '/\0', '/\x01', '/\x7f', '/\x80', '/\xff', '/\u00e4', '/%', '/%0',
    '/%00', '/%zz', '/%2e%2e/', '/../', '/./', '/a\\b', '/a"b', '/a<b', '/a>b', '/a|b', '/a^b', '/a`b', '/a{b}', '/a[b]', "/a'b", '/a;b',
    '/a?b#c', '/a?b c', '/' + 'a'.repeat(510), '/' + 'a'.repeat(511), '/' + 'a'.repeat(512), '/' + 'a'.repeat(1500), 'ftp://a/', 'file:///x',
    'javascript:x', '\\', '/a\r\nX: y', '/a\nX: y', '/a\rX: y', '/\x0b', '/\x0c'];

const versions = ['HTTP/1.1', 'HTTP/1.0', 'http/1.1', 'http/1.0', 'Http/1.0', 'HTTP/1.2', 'HTTP/0.9', 'HTTP/2.0', 'HTTP/2', 'HTTP/3.0',
    'HTTP/11', 'HTTP/1', 'HTTP/1.', 'HTTP/.1', 'HTTP/1.10', 'HTTP/01.1', 'HTTP/1.01', 'HTTP/1,1', 'HTTP 1.1', 'HTTP/1.1 ', ' HTTP/1.1', 'HTTP/1.1\t',
    'HTTPS/1.1', 'ICE/1.0', 'RTSP/1.0', '', 'HTTP/1.1x', 'XHTTP/1.1', 'HTTP/A.1', 'HTTP/1.A', 'HTTP/+1.1', 'HTTP/1.-1', 'HTTP/1.1\0', 'HTTP/9.9',
    'HTTP\\1.1', 'HTTP/1.1\x0b'];

const methods = ['GET', 'HEAD', 'POST', 'OPTIONS', 'PUT', 'DELETE', 'PATCH', 'CONNECT', 'TRACE', 'get', 'Get', 'gET', 'G', 'GE', 'GETT', 'GET\t', 'GET ',
    ' GET', '\tGET', '', '\0GET', 'GET\0', 'G\0ET', '\xc7ET', 'PRI', 'M-SEARCH', 'SOURCE', 'QUERY', 'XGET', '\r\nGET', '\nGET', '\rGET', '\r\n\r\nGET',
    '\n\nGET', '\r\n\nGET', '\x16\x03\x01', 'HTTP/1.1 200 OK\r\n\r\nGET', 'P\r\nGET', '{"a":1}\r\nGET', '(', '"GET"'];

function list() {
    const cases = [];
    const add = (name, said) => cases.push([name, Buffer.from(said, 'latin1')]);
    const latin = (text) => Buffer.from(text, 'utf8').toString('latin1');
    const each = (kind, values, make) => values.forEach((v) => add(`${kind} ${JSON.stringify(v).slice(0, 60)}`, make(latin(v))));

    each('length', lengths, (v) => POST + `Content-Length: ${v}\r\n\r\nhello` + NEXT);
    each('length of GET', lengths, (v) => GET + `Content-Length: ${v}\r\n\r\n` + INNER + NEXT);
    each('length of HEAD', lengths, (v) => `HEAD / HTTP/1.1\r\n${H}Content-Length: ${v}\r\n\r\nhello` + NEXT);
    each('length behind a good one', lengths, (v) => POST + `Content-Length: 5\r\nContent-Length: ${v}\r\n\r\nhello` + NEXT);
    each('length before a good one', lengths, (v) => POST + `Content-Length: ${v}\r\nContent-Length: 5\r\n\r\nhello` + NEXT);
    each('coding', codings, (v) => POST + `Transfer-Encoding: ${v}\r\n\r\n5\r\nhello\r\n0\r\n\r\n` + NEXT);
    each('coding and length', codings, (v) => POST + `Content-Length: 4\r\nTransfer-Encoding: ${v}\r\n\r\n5c\r\nhello\r\n0\r\n\r\n` + NEXT);
    each('length and coding', codings, (v) => POST + `Transfer-Encoding: ${v}\r\nContent-Length: 4\r\n\r\n5c\r\nhello\r\n0\r\n\r\n` + NEXT);
    each('coding of GET', codings, (v) => GET + `Transfer-Encoding: ${v}\r\n\r\n0\r\n\r\n` + INNER);
    each('coding in HTTP/1.0', codings, (v) => `POST / HTTP/1.0\r\n${H}Transfer-Encoding: ${v}\r\nContent-Length: 5\r\n\r\nhello` + NEXT);
    each('chunks', chunks, (v) => POST + 'Transfer-Encoding: chunked\r\n\r\n' + v + NEXT);
    each('field', fields, (v) => GET + v + '\r\n\r\n' + NEXT);
    each('field first', fields, (v) => 'GET / HTTP/1.1\r\n' + v + '\r\n' + H + '\r\n' + NEXT);
    each('field of POST', fields, (v) => POST + v + '\r\nContent-Length: 5\r\n\r\nhello' + NEXT);
    each('field of POST, last', fields, (v) => POST + 'Content-Length: 5\r\n' + v + '\r\n\r\nhello' + NEXT);
    each('host', hosts, (v) => `GET / HTTP/1.1\r\nHost: ${v}\r\n\r\n` + NEXT);
    each('second host', hosts, (v) => GET + `Host: ${v}\r\n\r\n` + NEXT);
    each('target', targets, (v) => `GET ${v} HTTP/1.1\r\n${H}\r\n` + NEXT);
    each('target of OPTIONS', targets, (v) => `OPTIONS ${v} HTTP/1.1\r\n${H}\r\n` + NEXT);
    each('version', versions, (v) => `GET / ${v}\r\n${H}\r\n` + NEXT);
    each('version of POST', versions, (v) => `POST / ${v}\r\n${H}Content-Length: 5\r\n\r\nhello` + NEXT);
    each('method', methods, (v) => `${v} / HTTP/1.1\r\n${H}Content-Length: 0\r\n\r\n` + NEXT);

    const ends = ['\r\n', '\n', '\r', '\r\r\n', '\n\r', '\r\n\r', '\r\n\n', '\n\n', ' \r\n', '\0\r\n', '\r\0\n', '\r \n', '', '\x0b', '\u0085', '\r\n '];
    each('end of the request line', ends, (v) => `GET / HTTP/1.1${v}${H}\r\n` + NEXT);
    each('end of a field', ends, (v) => `GET / HTTP/1.1\r\nHost: a${v}\r\n` + NEXT);
    each('end of the head', ends, (v) => `GET / HTTP/1.1\r\nHost: a\r\n${v}` + NEXT);
    each('end of a head with a body', ends, (v) => POST + `Content-Length: 5\r\n${v}hello` + NEXT);
    each('behind a body', ends, (v) => POST + 'Content-Length: 5\r\n\r\nhello' + v + NEXT);
    each('between blanks', ['  ', '\t', ' \t', '\x0b', '\0', ''], (v) => `GET${v}/${v}HTTP/1.1\r\n${H}\r\n` + NEXT);

    add('only a request line, HTTP/0.9', 'GET /\r\n\r\n');
    add('without Host', 'GET / HTTP/1.1\r\n\r\n' + NEXT);
    add('HTTP/1.0 without Host', 'GET / HTTP/1.0\r\n\r\n' + NEXT);
    add('HTTP/1.0 that is to stay open', `GET / HTTP/1.0\r\n${H}Connection: keep-alive\r\n\r\n` + NEXT);
    add('nothing', '');
    add('a body that is short', POST + 'Content-Length: 9\r\n\r\nhello');
    add('a body that is a request', POST + `Content-Length: ${INNER.length}\r\n\r\n` + INNER + NEXT);
    add('a body that is cut in a request', POST + `Content-Length: ${INNER.length - 3}\r\n\r\n` + INNER + NEXT);
    add('a body of CR and LF', POST + 'Content-Length: 5\r\n\r\n\r\n\r\n\r' + NEXT);
    add('a body of zeros', POST + 'Content-Length: 5\r\n\r\n\0\0\0\0\0' + NEXT);
    add('a POST without length', POST + '\r\nhello' + NEXT);
    add('ten in a row', NEXT.repeat(10));
    add('ten with bodies', (POST + 'Content-Length: 5\r\n\r\nhello').repeat(10));
    add('one behind close', GET + 'Connection: close\r\n\r\n' + NEXT);
    add('one behind HTTP/1.0', `GET / HTTP/1.0\r\n${H}\r\n` + NEXT);
    add('one behind an upgrade', GET + 'Connection: Upgrade\r\nUpgrade: h2c\r\n\r\n' + NEXT);
    add('the preface of HTTP/2', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n');
    add('TLS', '\x16\x03\x01\x00\xa5\x01\x00\x00\xa1\x03\x03');
    add('an answer', 'HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n');
    add('MQTT', '\x10\x0c\x00\x04MQTT\x04\x02\x00\x3c\x00\x00');
    add('forty fields', GET + 'A: b\r\n'.repeat(39) + '\r\n' + NEXT);
    add('forty-one fields', GET + 'A: b\r\n'.repeat(40) + '\r\n' + NEXT);
    add('a long field', GET + 'A: ' + 'b'.repeat(1900) + '\r\n\r\n' + NEXT);
    add('too long a field', GET + 'A: ' + 'b'.repeat(2100) + '\r\n\r\n' + NEXT);
    add('a field without end', GET + 'A: ' + 'b'.repeat(8000));
    return cases.concat(mutations());
}

// Every byte of good requests: left out, doubled, replaced by and preceded by each of these.
function mutations() {
    const cases = [];
    const strange = '\0\x01\t\n\x0b\r "#,/:;\\0H\x7f\x80\xff';
    const good = [GET + 'Cookie: a=b; c=d\r\nConnection: keep-alive\r\n\r\n',
        POST + 'Origin: http://a\r\nContent-Type: a/b\r\nContent-Length: 11\r\n\r\nhello world',
        'POST /rpc HTTP/1.0\r\nHost: a\r\nContent-Length: 2\r\nX: y\r\n\r\n{}'];
    good.forEach((text, n) => {
        for (let at = 0; at < text.length; at++) {
            const [before, rest, c] = [text.slice(0, at), text.slice(at + 1), text[at]];
            const put = (what, said) => cases.push([`good ${n}, byte ${at} ${what}`, Buffer.from(said + NEXT, 'latin1')]);
            put('left out', before + rest);
            put('doubled', before + c + c + rest);
            for (const s of strange) {
                put(`now ${JSON.stringify(s)}`, before + s + rest);
                put(`behind ${JSON.stringify(s)}`, before + s + c + rest);
            }
        }
        for (let at = 0; at < text.length; at++)
            cases.push([`good ${n}, cut at ${at}`, Buffer.from(text.slice(0, at), 'latin1')]);
    });
    return cases;
}

module.exports = list();
