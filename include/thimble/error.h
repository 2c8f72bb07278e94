/* SPDX-License-Identifier: MIT */
/*
 * One list gives every error its number, layer, text and remedy; the device, the command line and
 * docs/errors.md are all made from it. Numbers are stable: they appear in logs and in `--json`.
 *
 *   0                      no error
 *   1 .. TH_ERR_FENCE - 1  the call did nothing and may be made again as its remedy says
 *   TH_ERR_FENCE ..        the connection is dead; the first such error sticks until the next
 * attempt
 */
#ifndef THIMBLE_ERROR_H
#define THIMBLE_ERROR_H

#define TH_ERR_FENCE 64

/* LAYER, in the order a connection comes up; `th_layer_name()` gives the words. Numbers are stable:
 * they are on flash. */
#define TH_LAYER_LIST(X)                                                           \
    X(NONE, "")                                                                    \
    X(CALL, "call") /* the caller's argument or timing */                          \
    X(FILE, "file") /* a key, certificate or settings file */                      \
    X(NAME, "name") /* the broker's name into an address */                        \
    X(TCP, "tcp")                                                                  \
    X(TLS, "tls")                                                                  \
    X(TRUST, "trust") /* the broker's certificate, or the broker's view of ours */ \
    X(SERVER_NAME, "server name")                                                  \
    X(DATE, "date")                                                                \
    X(MEMORY, "memory")                                                            \
    X(CONNACK, "connack")                                                          \
    X(PROTOCOL, "protocol") /* MQTT after CONNECT */                               \
    X(KEEP_ALIVE, "keep-alive")                                                    \
    X(UPDATE, "update") /* a manifest or what it announces */                      \
    X(WIFI, "wifi")                                                                \
    X(ENROL, "enrolment")                                                          \
    X(BOARD, "board") /* pins, buses and converters */

/* X(number, NAME, LAYER, text, remedy) */
/* clang-format off */
#define TH_ERROR_LIST(X)                                                                                                    \
    X(0, OK, NONE, "no error", "")                                                                                          \
    X(1, AGAIN, CALL, "there is no room for this now",                                                                      \
      "poll the link, then make the same call again")                                                                       \
    X(2, INVALID, CALL, "an argument breaks a rule of the protocol",                                                        \
      "correct the topic, the QoS or the property; the header of the call lists what it takes")                             \
    X(3, TOO_LARGE, CALL, "the packet is larger than the buffer or the broker allows",                                      \
      "send a smaller message, give it as a source to be streamed, or enlarge the buffer")                                  \
    X(4, NOT_CONNECTED, CALL, "there is no MQTT connection",                                                                \
      "wait for the CONNECTED event")                                                                                       \
    X(5, OUTBOX_FULL, CALL, "the outbox has no room for another unacknowledged message",                                    \
      "poll until acknowledgements come in, or give the outbox more room")                                                  \
    X(6, QUOTA, CALL, "the broker's Receive Maximum of unacknowledged messages is reached",                                 \
      "poll until an acknowledgement comes in")                                                                             \
    X(7, NOT_ALLOWED, CALL, "the broker has said that it does not support this",                                            \
      "use a QoS, retain flag or subscription that the CONNACK properties allow")                                           \
    X(8, BAD_STATE, CALL, "the call does not fit the state of the session",                                                 \
      "see the header: some calls are only for a connected, some only for an unconnected session")                          \
    X(9, NO_OUTBOX, CALL, "QoS 1 and 2 need an outbox, and none was configured",                                            \
      "give the session an outbox, or publish at QoS 0")                                                                    \
    X(10, STORE, CALL, "the outbox could not be written",                                                                   \
      "free space on the disk or flash; nothing was sent")                                                                  \
    X(16, FILE_MISSING, FILE, "the file does not exist or cannot be read",                                                  \
      "check the path and its permissions")                                                                                 \
    X(17, FILE_EMPTY, FILE, "the file is empty",                                                                            \
      "write the certificate or key to it again")                                                                           \
    X(18, FILE_KIND, FILE, "the file is a directory or device, not a certificate or key",                                   \
      "name the file itself")                                                                                               \
    X(19, FILE_FORMAT, FILE, "the file holds neither PEM nor DER of the kind expected here",                                \
      "check that certificate and key files are not swapped")                                                               \
    X(20, FILE_TOO_LARGE, FILE, "the file is too large for a certificate or key",                                           \
      "name a file with the few certificates that are needed")                                                              \
    X(21, KEY_ENCRYPTED, FILE, "the private key is encrypted, and no pass phrase was given",                                \
      "give the pass phrase, or decrypt it with: openssl pkey -in KEY -out KEY.plain")                                      \
    X(22, KEY_MISMATCH, FILE, "the private key does not belong to the certificate",                                         \
      "use the key that the certificate's CSR was made with")                                                               \
    X(23, KEY_KIND, FILE, "this kind of private key is not supported here",                                                 \
      "use an EC P-256 key (or RSA of 2048 bits and more)")                                                                 \
    X(24, CERT_MALFORMED, FILE, "a configured certificate cannot be decoded",                                               \
      "replace the file by a fresh copy")                                                                                   \
    X(25, CONFIG, FILE, "the configuration is incomplete or contradicts itself",                                            \
      "see the header of the option for what belongs together")                                                             \
    X(26, FILE_LOCKED, FILE, "another process has the file open",                                                           \
      "stop that process, or give each process a file of its own")                                                          \
    X(27, FILE_DAMAGED, FILE, "the file is damaged",                                                                        \
      "restore it from a copy; or move it away to begin anew, and lose the messages in it")                                 \
    X(28, FILE_OTHER_VERSION, FILE, "the file was written by another version of the format or for another MQTT version",    \
      "open it with what wrote it and let it send its messages; or move it away, and lose them")                            \
    X(29, FILE_SYSTEM, FILE, "the operating system refuses an operation on the file",                                       \
      "see the error number: no space, no permission, a read-only or broken disk")                                          \
    X(30, FILE_FLASH, FILE, "the file is no flash of this size",                                                            \
      "name another file, or give the geometry it was made with")                                                           \
    X(32, UPDATE_FORMAT, UPDATE, "this is not a manifest, or one of a newer version",                                       \
      "sign it again with the tool of this release, or update the device in steps")                                         \
    X(33, UPDATE_KEY, UPDATE, "the manifest is signed by a key this device does not take for that",                         \
      "sign with a key of the device's trust set, or send the new key in a trust bundle first")                             \
    X(34, UPDATE_SIGNATURE, UPDATE, "the manifest's signature is wrong",                                                    \
      "the file was altered under way: get a fresh copy")                                                                   \
    X(35, UPDATE_DEVELOPMENT, UPDATE, "the manifest is signed for development, and this is a release build",                \
      "sign with a release key")                                                                                            \
    X(36, UPDATE_PRODUCT, UPDATE, "the update is for another product",                                                      \
      "choose the update made for this product")                                                                            \
    X(37, UPDATE_HARDWARE, UPDATE, "the update is for another hardware revision",                                           \
      "choose the update made for this revision")                                                                           \
    X(38, UPDATE_OLD, UPDATE, "the update is not newer than what is in force",                                              \
      "sign it with a higher sequence number")                                                                              \
    X(39, UPDATE_EPOCH, UPDATE, "the update is older than the last one that closed a security hole",                        \
      "sign a release of the present security epoch or above")                                                              \
    X(40, TRUST_SET_FORMAT, UPDATE, "the trust bundle's content breaks its format",                                         \
      "make it again with the tool of this release")                                                                        \
    X(48, ENROL_FORMAT, ENROL, "this is not an enrolment bundle, or it is damaged",                                         \
      "get a fresh copy; thimble device enrol --request makes one")                                                         \
    X(49, ENROL_ALREADY, ENROL, "the device is enrolled",                                                                   \
      "a factory reset comes first: it erases who the device is and whom it trusts")                                        \
    X(50, ENROL_NO_REQUEST, ENROL, "the device has not asked for a bundle",                                                 \
      "let it make a request, and enrol it with that")                                                                      \
    X(51, ENROL_NONCE, ENROL, "the bundle answers another request",                                                         \
      "enrol the device with its newest request: each one replaces the one before")                                         \
    X(52, ENROL_CERTIFICATE, ENROL, "a certificate in the bundle is not over this device's key and name",                   \
      "the bundle is another device's, or was put together wrongly: enrol this one with its own request")                   \
    X(53, RENEW_UNANSWERED, ENROL, "no agent answers the request for a new certificate",                                    \
      "start the agent on the broker's host: thimble broker agent; the device asks again by itself")                        \
    X(54, RENEW_REFUSED, ENROL, "the agent refuses a new certificate",                                                      \
      "the agent's log has the line; a revoked device is enrolled again")                                                   \
    X(55, RENEW_CERTIFICATE, ENROL, "the agent's answer is no certificate over the device's new key and name",              \
      "look at the agent's host: its log, its clock, and who else has its certificate")                                     \
    X(56, BOARD_MISSING, BOARD, "there is no such chip, device or converter here",                                          \
      "gpiodetect, ls /dev/spidev* and ls /sys/bus/iio/devices list them; raspi-config switches SPI on")                    \
    X(57, BOARD_DENIED, BOARD, "the kernel does not let this user have it",                                                 \
      "add the user to the group that ls -l shows for it (often gpio or spi), and log in again")                            \
    X(58, BOARD_KIND, BOARD, "that is no chip, device or converter of this kind",                                           \
      "gpio takes a GPIO chip, spi a spidev device, adc an IIO device with voltage inputs")                                 \
    X(59, BOARD_SYSTEM, BOARD, "the kernel refuses an operation on the board",                                              \
      "see the error number; gpioinfo tells who has a line")                                                                \
    X(64, NAME_NOT_FOUND, NAME, "the broker's name has no address",                                                         \
      "check the spelling and the DNS server; an IP address works too when it is in the certificate")                       \
    X(65, NAME_TIMEOUT, NAME, "no DNS server answered",                                                                     \
      "check the network and its DNS server")                                                                               \
    X(66, NAME_OTHER, NAME, "the name look-up failed",                                                                      \
      "check the network and its DNS server")                                                                               \
    X(70, NO_NETWORK, TCP, "there is no network",                                                                           \
      "check cable, Wi-Fi and address")                                                                                     \
    X(71, TCP_REFUSED, TCP, "nothing listens on that address and port",                                                     \
      "start the broker, or check host and port (MQTT over TLS is usually 8883)")                                           \
    X(72, TCP_UNREACHABLE, TCP, "the network has no way to that address",                                                   \
      "check address, route and gateway")                                                                                   \
    X(73, TCP_TIMEOUT, TCP, "the address does not answer",                                                                  \
      "check that the host is up and that no firewall drops the port")                                                      \
    X(74, TCP_RESET, TCP, "the peer reset the connection",                                                                  \
      "see the broker's log for the reason")                                                                                \
    X(75, TCP_CLOSED, TCP, "the peer closed the connection",                                                                \
      "see the broker's log for the reason")                                                                                \
    X(76, TCP_OTHER, TCP, "the operating system reports a network error",                                                   \
      "see the error number")                                                                                               \
    X(80, TLS_NOT_TLS, TLS, "what answers on that port does not speak TLS",                                                 \
      "use the broker's TLS port (usually 8883), or configure TLS on that listener")                                        \
    X(81, TLS_VERSION, TLS, "the server offers no TLS version from 1.2 on",                                                 \
      "enable TLS 1.2 or 1.3 on the server")                                                                                \
    X(82, TLS_NO_SUITE, TLS, "the server accepts none of our cipher suites or curves (ECDHE with AEAD)",                    \
      "enable ECDHE with AES-GCM or ChaCha20-Poly1305 and P-256 or X25519 on the server")                                   \
    X(83, TLS_ALERT, TLS, "the server ended the handshake with an alert",                                                   \
      "see the alert, and the server's log")                                                                                \
    X(84, TLS_TIMEOUT, TLS, "the server stays silent in the TLS handshake",                                                 \
      "check that the port is a TLS port and that the server is not overloaded")                                            \
    X(85, TLS_CLOSED, TLS, "the server closed the connection in the TLS handshake",                                         \
      "see the server's log; a plaintext listener does this too")                                                           \
    X(86, TLS_BAD_RECORD, TLS, "a TLS record is damaged or forged",                                                         \
      "something between here and the server alters the traffic; if it repeats, look for a proxy")                          \
    X(87, TLS_BAD_PROOF, TLS, "the server could not prove that it holds its certificate's key",                             \
      "the server's certificate and key do not belong together, or it is an impostor")                                      \
    X(88, TLS_BAD_FINISHED, TLS, "the handshake's check value is wrong",                                                    \
      "something between here and the server alters the handshake")                                                         \
    X(89, TLS_RENEGOTIATION, TLS, "the server asked for renegotiation, which is off",                                       \
      "switch renegotiation off on the server")                                                                             \
    X(90, TLS_CLIENT_CERT_UNASKED, TLS, "a client certificate is configured, but the server did not ask for it",            \
      "set require_certificate true on the listener; Thimble never falls back to less")                                     \
    X(91, TLS_ALPN, TLS, "the server did not agree to the application protocol (ALPN)",                                     \
      "check the port and the ALPN name")                                                                                   \
    X(92, TLS_PROTOCOL, TLS, "the server breaks the TLS protocol",                                                          \
      "update the server; if it repeats, look for a proxy in between")                                                      \
    X(93, TLS_ENTROPY, TLS, "the source of random numbers failed its health test",                                          \
      "restart the device; if it repeats, its random generator is broken")                                                  \
    X(94, TLS_LIBRARY, TLS, "the TLS library reports an error",                                                             \
      "see its number")                                                                                                     \
    X(95, TLS_TRUNCATED, TLS, "the connection ended without TLS close_notify",                                              \
      "the link was cut, or the peer crashed")                                                                              \
    X(100, TRUST_UNKNOWN_CA, TRUST, "the server's certificate chain does not lead to a CA that we trust",                   \
      "give the CA certificate that issued the broker's certificate; if you did, this is not your broker")                  \
    X(101, TRUST_SELF_SIGNED, TRUST, "the server's certificate is self-signed and not trusted",                             \
      "issue the broker a certificate from your CA, or pin this one by its fingerprint")                                    \
    X(102, TRUST_NOT_A_CA, TRUST, "a certificate in the chain was issued by one that is not a CA",                          \
      "issue the broker's certificate from a real CA")                                                                      \
    X(103, TRUST_PATH_LENGTH, TRUST, "the chain is longer than one of its CAs allows",                                      \
      "issue the broker's certificate from the CA directly")                                                                \
    X(104, TRUST_KEY_USAGE, TRUST, "a certificate is used for what its key usage does not allow",                           \
      "issue it again with digitalSignature (server) or keyCertSign (CA)")                                                  \
    X(105, TRUST_EKU, TRUST, "the certificate is not meant for a server (extended key usage)",                              \
      "issue the broker's certificate with extendedKeyUsage=serverAuth; a device's certificate must not serve")             \
    X(106, TRUST_WEAK_KEY, TRUST, "a certificate's key is too weak",                                                        \
      "use P-256 or more, or RSA of 2048 bits and more")                                                                    \
    X(107, TRUST_WEAK_HASH, TRUST, "a certificate is signed with a hash that is no longer safe",                            \
      "issue it again with SHA-256 or more")                                                                                \
    X(108, TRUST_SIGNATURE, TRUST, "the signature on a certificate is wrong",                                               \
      "the certificate was altered, or another CA of the same name issued it; get a fresh copy")                            \
    X(109, TRUST_CRITICAL_EXTENSION, TRUST, "a certificate has a critical extension that is not understood",                \
      "issue it again without that extension")                                                                              \
    X(110, TRUST_NAME_CONSTRAINTS, TRUST, "a CA in the chain may not issue for this server name",                           \
      "issue the broker's certificate from a CA whose name constraints permit its name")                                    \
    X(111, TRUST_PIN, TRUST, "the server's key is none of the pinned ones",                                                 \
      "if the broker's key was changed on purpose, send the new pin first")                                                 \
    X(112, TRUST_FINGERPRINT, TRUST, "the server's certificate does not have the configured fingerprint",                   \
      "if the certificate was renewed on purpose, set its new fingerprint")                                                 \
    X(113, TRUST_MALFORMED, TRUST, "the server's certificate cannot be decoded",                                            \
      "issue the broker's certificate again")                                                                               \
    X(114, TRUST_NOTHING_CONFIGURED, TRUST, "nothing is configured to trust the server by",                                 \
      "give a CA certificate, a pin or a fingerprint")                                                                      \
    X(115, TRUST_WE_ARE_UNKNOWN, TRUST, "the server refuses our certificate: it does not know its issuer",                  \
      "give the broker the device CA as cafile, or enrol this device again")                                                \
    X(116, TRUST_WE_ARE_EXPIRED, TRUST, "the server says that our certificate, or its own revocation list, has expired",    \
      "renew the certificate; if it is still valid, refresh the broker's CRL")                                              \
    X(117, TRUST_WE_ARE_REVOKED, TRUST, "the server says that our certificate is revoked",                                  \
      "enrol this device again, if it is still yours")                                                                      \
    X(118, TRUST_WE_ARE_REQUIRED, TRUST, "the server demands a client certificate, and none is configured",                 \
      "give a certificate and its key")                                                                                     \
    X(119, TRUST_WE_ARE_REFUSED, TRUST, "the server refuses our certificate",                                               \
      "see the alert, and the server's log")                                                                                \
    X(120, TRUST_CHAIN_TOO_LONG, TRUST, "the server's certificate chain is longer than anything sensible",                  \
      "configure the broker to send its certificate and the intermediates only")                                            \
    X(128, SERVER_NAME_MISMATCH, SERVER_NAME, "the server's certificate is for another name",                               \
      "connect by a name in the certificate, or issue it with subjectAltName for this one")                                 \
    X(129, SERVER_NAME_NO_SAN, SERVER_NAME, "the server's certificate has no subjectAltName",                               \
      "issue it again with subjectAltName; a common name alone is never accepted")                                          \
    X(136, DATE_EXPIRED, DATE, "a certificate in the chain has expired",                                                    \
      "renew the broker's certificate; if it is valid, correct this machine's clock")                                       \
    X(137, DATE_NOT_YET, DATE, "a certificate in the chain is not valid yet",                                               \
      "correct this machine's clock, or the clock of the machine that issued it")                                           \
    X(144, MEMORY_RECORD, MEMORY, "the server sent a TLS record that does not fit the buffer",                              \
      "the server ignored max_fragment_length: use a 16 KiB record buffer, or a server that honours it")                    \
    X(145, MEMORY_HANDSHAKE, MEMORY, "there was no memory for the handshake",                                               \
      "give the TLS engine its memory at start-up")                                                                         \
    X(146, MEMORY_PACKET, MEMORY, "a packet from the broker does not fit the receive buffer",                                \
      "enlarge the receive buffer; with th_mqtt_large it need hold topic and properties alone")                               \
    X(147, MEMORY_ALIAS, MEMORY, "the broker's topic aliases do not fit the memory given for them",                         \
      "enlarge that memory, or announce a smaller topic alias maximum")                                                     \
    X(148, MEMORY_INBOUND_QOS2, MEMORY, "the broker sent more QoS 2 messages at once than there is room for",               \
      "enlarge the outbox's inbound part, or lower max_inflight_messages on the broker")                                    \
    X(152, CONNACK_REFUSED, CONNACK, "the broker refused the connection",                                                   \
      "see the reason code")                                                                                                \
    X(153, CONNACK_TIMEOUT, CONNACK, "the broker does not answer CONNECT",                                                  \
      "check that an MQTT broker listens on that port")                                                                     \
    X(154, CONNACK_CLOSED, CONNACK, "the broker closed the connection instead of answering CONNECT",                        \
      "see the broker's log: user, password, client id or protocol version is not accepted")                                \
    X(160, MQTT_MALFORMED, PROTOCOL, "the broker sent a malformed packet",                                                  \
      "update the broker; if it repeats, check that an MQTT broker listens on that port")                                   \
    X(161, MQTT_PROTOCOL, PROTOCOL, "the broker broke the MQTT protocol",                                                   \
      "update the broker")                                                                                                  \
    X(162, MQTT_RECEIVE_MAXIMUM, PROTOCOL, "the broker sent more unacknowledged messages than our Receive Maximum",         \
      "update the broker")                                                                                                  \
    X(163, MQTT_TOPIC_ALIAS, PROTOCOL, "the broker used a topic alias that is not valid",                                   \
      "update the broker")                                                                                                  \
    X(164, MQTT_PACKET_TOO_LARGE, PROTOCOL, "the broker sent a packet above our Maximum Packet Size",                       \
      "update the broker")                                                                                                  \
    X(165, MQTT_TOPIC_NAME, PROTOCOL, "the broker sent a message with a topic name that is not valid",                      \
      "update the broker")                                                                                                  \
    X(166, MQTT_SERVER_DISCONNECT, PROTOCOL, "the broker ended the connection with DISCONNECT",                             \
      "see the reason code")                                                                                                \
    X(167, MQTT_AUTH, PROTOCOL, "enhanced authentication failed",                                                           \
      "see the reason code and the authentication method")                                                                  \
    X(168, MQTT_CLOSED, PROTOCOL, "the broker closed the connection without a word",                                        \
      "see the broker's log; another client with the same client id does this too")                                         \
    X(169, MQTT_STORE, PROTOCOL, "the outbox could not be written, and going on would lose a message",                      \
      "free space on the disk or flash")                                                                                    \
    X(170, MQTT_SOURCE, PROTOCOL, "the source of a streamed message gave fewer bytes than announced",                       \
      "mend the source; the connection was closed because half a message cannot be taken back")                             \
    X(171, TRIAL_UNANSWERED, PROTOCOL, "nobody answers the trial of a change",                                              \
      "start the agent, or keep the tool running that made the change, until the device has tried it")                      \
    X(172, TRIAL_DENIED, PROTOCOL, "the broker lets the device connect, but denies it its own topics",                      \
      "check the broker's ACL file for this device")                                                                        \
    X(173, WEBSOCKET_REFUSED, PROTOCOL, "the server does not take MQTT over WebSocket there",                               \
      "check port and path; the number is the HTTP status it answered with")                                                \
    X(174, WEBSOCKET_FRAME, PROTOCOL, "the server broke the WebSocket protocol",                                            \
      "update the broker, or what stands between")                                                                          \
    X(176, KEEP_ALIVE_TIMEOUT, KEEP_ALIVE, "the broker does not answer PINGREQ",                                            \
      "the connection is half open: check Wi-Fi, NAT time-outs and the broker; the link reconnects")                        \
    X(177, KEEP_ALIVE_WRITE, KEEP_ALIVE, "nothing could be sent for longer than the keep-alive time",                       \
      "the connection is stuck: check Wi-Fi and the broker; the link reconnects")                                           \
    X(184, WIFI_NOT_FOUND, WIFI, "there is no network of that name",                                                        \
      "check wifi.sta.ssid, and that the network has the 2.4 GHz band; move the device nearer")                             \
    X(185, WIFI_REFUSED, WIFI, "the network refuses us",                                                                    \
      "check wifi.sta.pass; if it is right, look for a list of allowed addresses in the router")                            \
    X(186, WIFI_TIMEOUT, WIFI, "the network does not answer",                                                               \
      "restart the router; move the device nearer")                                                                         \
    X(187, WIFI_NO_ADDRESS, WIFI, "the network gives us no address",                                                        \
      "check the router's DHCP server, or set wifi.sta.ip, netmask and gw")                                                 \
    X(188, WIFI_LOST, WIFI, "the network is gone",                                                                          \
      "if it repeats, move the device nearer to the router")
/* clang-format on */

enum th_error {
#define TH_ERROR_ENUM(number, name, layer, text, remedy) TH_ERR_##name = number,
    TH_ERROR_LIST(TH_ERROR_ENUM)
#undef TH_ERROR_ENUM
        TH_OK = 0
};

enum th_layer {
#define TH_LAYER_ENUM(name, text) TH_LAYER_##name,
    TH_LAYER_LIST(TH_LAYER_ENUM)
#undef TH_LAYER_ENUM
};

/* All four: a static string, never NULL; "" or NONE for a number that is not in the list. */
const char *th_error_name(enum th_error error); /* "TCP_REFUSED" */
const char *th_error_text(enum th_error error);
const char *th_error_remedy(enum th_error error);
enum th_layer th_error_layer(enum th_error error);
const char *th_layer_name(enum th_layer layer);

#endif
