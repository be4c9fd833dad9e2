// SPDX-License-Identifier: GPL-2.0
/* Ports that are joined, and what the text behind --net means. */
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <unistd.h>
#include "core/option.h"
#include "net/net.h"
#include "net/switch/switch.h"

#define RARP_LEN	60

/* ---- two ports ------------------------------------------------------------ */

static void tell(struct port *port)
{
	if (port->ops->changed)
		port->ops->changed(port);
}

void port_changed(struct port *port)
{
	if (port->peer)
		tell(port->peer);
}

void port_ready(struct port *port)
{
	if (port->peer && port->peer->ops->ready)
		port->peer->ops->ready(port->peer);
}

void port_connect(struct port *a, struct port *b)
{
	a->peer = b;
	b->peer = a;
	tell(a);
	tell(b);
}

void port_disconnect(struct port *port)
{
	struct port *peer = port->peer;

	if (!peer)
		return;
	port->peer = peer->peer = NULL;
	/* A frame of the peer's that waits is for the next one */
	tell(peer);
}

void port_set_link(struct port *port, bool up)
{
	if (port->link == up)
		return;
	port->link = up;
	port_changed(port);
	/* Without a link frames are dropped, and none waits */
	port_ready(port);
}

void port_drop(struct port_count *count, enum port_drop why)
{
	count->dropped[why]++;
}

void port_refuse(struct port_count *count, enum port_drop why)
{
	count->in++;
	port_drop(count, why);
}

static void count_out(struct port_count *count, const struct frame *frame)
{
	count->out++;
	count->bytes += frame->len;
}

void port_sent(struct port *port, const struct frame *frame)
{
	count_out(&port->from_peer, frame);
}

static unsigned int left_undone(const struct frame *frame)
{
	const struct virtio_net_hdr_v1 *h = &frame->header;
	unsigned int needs = 0;

	if (h->flags & VIRTIO_NET_HDR_F_NEEDS_CSUM)
		needs |= PORT_CSUM;
	switch (h->gso_type & ~VIRTIO_NET_HDR_GSO_ECN) {
	case VIRTIO_NET_HDR_GSO_NONE:
		break;
	case VIRTIO_NET_HDR_GSO_TCPV4:
		needs |= PORT_TSO4;
		break;
	case VIRTIO_NET_HDR_GSO_TCPV6:
		needs |= PORT_TSO6;
		break;
	default:
		return ~0u;
	}
	return h->gso_type & VIRTIO_NET_HDR_GSO_ECN ? needs | PORT_ECN : needs;
}

/* Of a frame that was cut: what there is no room for behind the first one is lost */
static bool give_finished(void *ctx, const struct frame *frame, unsigned int nr)
{
	struct port *peer = ((struct port *)ctx)->peer;

	/* With a segment before this one it may have gone */
	if (!peer)
		return true;
	if (!peer->link) {
		port_refuse(&peer->from_peer, DROP_NO_LINK);
		return true;
	}
	peer->from_peer.in++;
	if (peer->ops->receive(peer, frame))
		return true;
	if (nr)
		port_drop(&peer->from_peer, DROP_FULL);
	else
		peer->from_peer.in--;
	return nr;
}

/* As @receive. @bad: its header is not that of the frame */
static bool give(struct port *port, const struct frame *frame, bool *bad)
{
	struct port *peer = port->peer;
	unsigned int undone = left_undone(frame);
	bool taken;

	if (undone == ~0u) {
		*bad = true;
		return true;
	}
	if (undone & ~peer->takes) {
		enum offload_result ret = offload_finish(frame, give_finished,
							 port);

		*bad = ret == OFFLOAD_BAD;
		return ret != OFFLOAD_STOPPED;
	}
	/* It may lose its link with this frame: it was a try */
	peer->from_peer.in++;
	taken = peer->ops->receive(peer, frame);
	if (!taken)
		peer->from_peer.in--;
	return taken;
}

bool port_send(struct port *port, const struct frame *frame)
{
	struct port *peer = port->peer;
	struct port_count *count = &port->to_peer;
	bool bad = false;

	if (!peer || !peer->link) {
		port_refuse(count, DROP_NO_LINK);
		return true;
	}
	if (!give(port, frame, &bad))
		return false;
	if (bad) {
		port_refuse(count, DROP_HEADER);
		return true;
	}
	count->in++;
	count_out(count, frame);
	if (port->capture)
		pcap_frame(port->capture, frame, false);
	if (peer->capture)
		pcap_frame(peer->capture, frame, true);
	return true;
}

void port_flush(struct port *port)
{
	if (port->peer && port->peer->ops->flush)
		port->peer->ops->flush(port->peer);
}

void port_announce(struct port *port, const uint8_t *mac)
{
	static const uint8_t rarp[] = { 0x80, 0x35, 0, 1, 8, 0, 6, 4, 0, 3 };
	uint8_t bytes[RARP_LEN] = { 0 };
	const struct iovec iov = { bytes, sizeof(bytes) };
	const struct frame frame = { { 0 }, &iov, 1, sizeof(bytes) };

	memset(bytes, 0xff, MAC_LEN);
	memcpy(bytes + 6, mac, MAC_LEN);
	memcpy(bytes + 12, rarp, sizeof(rarp));
	/* The sender's address, IPv4's not known, and the same of the target */
	memcpy(bytes + 22, mac, MAC_LEN);
	memcpy(bytes + 32, mac, MAC_LEN);
	if (port_send(port, &frame))
		port_flush(port);
}

/* ---- frames --------------------------------------------------------------- */

size_t frame_peek(const struct frame *frame, void *bytes, size_t len)
{
	size_t done = 0;
	unsigned int i;

	for (i = 0; i < frame->niov && done < len; i++) {
		size_t n = frame->iov[i].iov_len;

		n = n < len - done ? n : len - done;
		memcpy((uint8_t *)bytes + done, frame->iov[i].iov_base, n);
		done += n;
	}
	return done;
}

bool frame_check(struct frame *frame, unsigned int offloads)
{
	struct virtio_net_hdr_v1 *h = &frame->header;
	bool csum = h->flags & VIRTIO_NET_HDR_F_NEEDS_CSUM;
	bool gso = h->gso_type != VIRTIO_NET_HDR_GSO_NONE;

	/* Most frames of most senders */
	if (!csum && !gso) {
		*h = (struct virtio_net_hdr_v1){ 0 };
		return true;
	}
	if (left_undone(frame) & ~offloads)
		return false;
	if (csum && (size_t)h->csum_start + h->csum_offset + 2 > frame->len)
		return false;
	/* ECN alone is nothing */
	if (gso && (!csum || !h->gso_size ||
		    h->gso_type == VIRTIO_NET_HDR_GSO_ECN))
		return false;
	*h = (struct virtio_net_hdr_v1){
		.flags = csum ? VIRTIO_NET_HDR_F_NEEDS_CSUM : 0,
		.gso_type = h->gso_type,
		/* A hint, which nobody is to believe */
		.hdr_len = !gso ? 0 : h->hdr_len < frame->len ? h->hdr_len :
			   frame->len,
		.gso_size = gso ? h->gso_size : 0,
		.csum_start = csum ? h->csum_start : 0,
		.csum_offset = csum ? h->csum_offset : 0 };
	return true;
}

const char *port_why(enum port_drop why)
{
	static const char *const text[DROPS] = {
		[DROP_NO_LINK] = "without a link",
		[DROP_LENGTH] = "too short or too long",
		[DROP_HEADER] = "with offloads that are not allowed",
		[DROP_FILTER] = "not for this guest",
		[DROP_REFUSED] = "refused by the host",
		[DROP_LOST] = "lost with a connection",
		[DROP_VLAN] = "of a VLAN that is not the port's",
		[DROP_NOBODY] = "with nowhere to go",
		[DROP_FULL] = "for a receiver that was full",
		[DROP_SOURCE] = "from a group's address",
		[DROP_LOCAL] = "for the link alone",
		[DROP_MIRROR] = "from the end of a mirror",
		[DROP_FORGED] = "from an address that is not the port's",
		[DROP_STORM] = "of a storm",
		[DROP_BLOCKED] = "at a port that the spanning tree blocks",
		[DROP_RATE] = "beyond the rate",
		[DROP_CHANCE] = "lost by chance" };

	return text[why];
}

static void print_count(const char *name, const char *direction,
			const struct port_count *c, FILE *file)
{
	unsigned int i;

	fprintf(file, "%s%s: %" PRIu64 " frames of %" PRIu64 ", %" PRIu64
		" bytes", name, direction, c->out, c->in, c->bytes);
	for (i = 0; i < DROPS; i++)
		if (c->dropped[i])
			fprintf(file, "; %" PRIu64 " %s", c->dropped[i],
				port_why(i));
	fputc('\n', file);
}

json_t *port_count_json(const struct port_count *c)
{
	json_t *dropped = json_object();
	unsigned int i;

	for (i = 0; i < DROPS; i++)
		if (c->dropped[i])
			json_object_set_new(dropped, port_why(i),
					    json_integer(c->dropped[i]));
	return json_pack("{s:I, s:I, s:I, s:o}", "in", (json_int_t)c->in,
			 "out", (json_int_t)c->out, "bytes",
			 (json_int_t)c->bytes, "dropped", dropped);
}

void port_print_own(const struct port *port, FILE *file)
{
	print_count(port->name, ", in", &port->to_peer, file);
	print_count(port->name, ", out", &port->from_peer, file);
	if (port->ops->print)
		port->ops->print(port, file);
}

void port_print(const struct port *port, FILE *file)
{
	const struct port *nic = port->peer;

	port_print_own(port, file);
	if (!nic)
		return;
	print_count(port->name, "'s NIC, from the guest", &nic->to_peer, file);
	print_count(port->name, "'s NIC, to the guest", &nic->from_peer, file);
}

/* ---- --net ---------------------------------------------------------------- */

const char *net_value(const char *word, const char *name)
{
	size_t len = strlen(name);

	return strncmp(word, name, len) ? NULL : word + len;
}

static int digit(char c)
{
	return c >= '0' && c <= '9' ? c - '0' :
	       c >= 'a' && c <= 'f' ? c - 'a' + 10 :
	       c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

int net_parse_mac(uint8_t *mac, const char *text, struct error *error)
{
	const char *at = text;
	unsigned int i;

	for (i = 0; i < MAC_LEN; i++, at += 3) {
		int high = digit(at[0]), low = high < 0 ? -1 : digit(at[1]);

		if (low < 0 || at[2] != (i + 1 < MAC_LEN ? ':' : 0))
			break;
		mac[i] = high << 4 | low;
	}
	if (i < MAC_LEN)
		return fail(error, STATUS_USAGE,
			    "mac=%s is no address: write 52:54:00:12:34:56, say",
			    text);
	if (mac[0] & 1 || !memcmp(mac, "\0\0\0\0\0", MAC_LEN))
		return fail(error, STATUS_USAGE,
			    "mac=%s is not the address of one NIC",
			    text);
	return 0;
}

char *mac_text(const uint8_t *mac, char text[MAC_TEXT])
{
	snprintf(text, MAC_TEXT, "%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1],
		 mac[2], mac[3], mac[4], mac[5]);
	return text;
}

static int parse_mtu(struct net_config *config, const char *text,
		     struct error *error)
{
	uint64_t value;

	/* IPv4's least, and what fits into a frame */
	if (!parse_number(text, &value, false) || value < 68 || value > 65535)
		return fail(error, STATUS_USAGE,
			    "--net: mtu=%s is out of range: from 68 to 65535",
			    text);
	config->mtu = value;
	return 0;
}

static int parse_queues(struct net_config *config, const char *text,
			struct error *error)
{
	uint64_t value;

	if (!parse_number(text, &value, false) || value < 1 ||
	    value > NET_QUEUES)
		return fail(error, STATUS_USAGE,
			    "--net: queues=%s is out of range: from 1 to %u",
			    text, NET_QUEUES);
	config->queues = value;
	return 0;
}

static int parse_model(struct net_config *config, const char *text,
		       struct error *error)
{
	if (strcmp(text, "virtio-net") && strcmp(text, "e1000"))
		return fail(error, STATUS_USAGE,
			    "--net: model=%s is not known: virtio-net and e1000 are",
			    text);
	config->model = text;
	return 0;
}

static int parse_forward(struct net_config *config, const char *text,
			 struct error *error)
{
	if (config->forwards == NET_FORWARDS)
		return fail(error, STATUS_USAGE, "--net: at most %u hostfwd=",
			    NET_FORWARDS);
	config->forward[config->forwards++] = text;
	return 0;
}

/* What it means is for the switch to say */
static bool is_port_option(const char *word)
{
	char key[16];

	snprintf(key, sizeof(key), "%.*s", (int)strcspn(word, "="), word);
	return option_find(switch_options, key);
}

static int add_port_option(struct net_config *c, const char *word,
			   struct error *error)
{
	size_t n = strlen(c->port_options);
	size_t left = sizeof(c->port_options) - n;

	if ((size_t)snprintf(c->port_options + n, left, "%s%s", n ? "," : "",
			     word) < left)
		return 0;
	return fail(error, STATUS_USAGE, "--net switch: too many options");
}

static int parse_word(struct net_config *c, const char *word,
		      struct error *error)
{
	const char *value;
	int ret = c->bond.links ? bond_parse_word(&c->bond, word, error) : 1;

	if (ret <= 0)
		return ret;
	if ((value = net_value(word, "mac="))) {
		c->has_mac = true;
		return net_parse_mac(c->mac, value, error);
	}
	if ((value = net_value(word, "mtu=")))
		return parse_mtu(c, value, error);
	if ((value = net_value(word, "queues=")))
		return parse_queues(c, value, error);
	if ((value = net_value(word, "model=")))
		return parse_model(c, value, error);
	if ((value = net_value(word, "pcap=")) && *value)
		c->pcap = value;
	else if ((value = net_value(word, "iothread=")) && *value)
		c->iothread = value;
	else if (!strcmp(c->kind, "tap") &&
		 (value = net_value(word, "bridge=")) && *value)
		c->bridge = value;
	else if (!strcmp(c->kind, "tap") &&
		 (value = net_value(word, "vhost=")) &&
		 (!strcmp(value, "on") || !strcmp(value, "off")))
		c->vhost = !strcmp(value, "on");
	else if (!strcmp(c->kind, "stream") && !strcmp(word, "server"))
		c->server = true;
	else if (!strcmp(c->kind, "user") &&
		 (value = net_value(word, "hostfwd=")))
		return parse_forward(c, value, error);
	else if (!strcmp(c->kind, "switch") && is_port_option(word))
		return add_port_option(c, word, error);
	else
		return fail(error, STATUS_USAGE,
			    "--net %s: %s is not known: model=e1000, mac=ADDRESS, mtu=BYTES, pcap=FILE, queues=NUMBER and iothread=NAME are, bridge=NAME and vhost=on of a tap, server of a stream, hostfwd=tcp::PORT-:PORT of user, vlan=VLANS, name=NAME, isolated, locked, storm=FRAMES, rate=KBIT, delay=MS and loss=PERMILLE of a switch, mode=MODE of a bond",
			    c->kind, word);
	return 0;
}

/* @separator: before an address, 0: there is none */
static const struct {
	const char *name;
	struct port *(*open)(const struct net_config *config,
			     struct error *error);
	char separator;
} kinds[] = { { "tap", tap_open, '=' }, { "stream", stream_port_open, ':' },
	      { "user", user_open, 0 }, { "vde", vde_port_open, ':' },
	      { "switch", switch_port_open, '=' },
	      { "bond", bond_open, 0 } };
#define KINDS (sizeof(kinds) / sizeof(kinds[0]))

/* "bond(LINK,LINK...)": what is between the parentheses, and what follows */
static int parse_bond(struct net_config *config, char *inside, char **rest,
		      struct error *error)
{
	char *end = strchr(inside, ')');

	if (!end || (end[1] && end[1] != ','))
		return fail(error, STATUS_USAGE,
			    "--net bond: write bond(LINK,LINK),mode=MODE");
	*rest = end[1] ? end + 2 : NULL;
	*end = 0;
	*config = (struct net_config){ .kind = "bond" };
	return bond_parse_links(&config->bond, inside, error);
}

/* "tap=NAME", "stream:ADDRESS", or a kind alone */
static int parse_kind(struct net_config *config, char **text,
		      struct error *error)
{
	char *word = strsep(text, ","), *end = word + strcspn(word, "=:");
	char separator = *end;
	unsigned int i;

	*end = 0;
	*config = (struct net_config){ .kind = word };
	if (separator)
		config->address = end + 1;
	for (i = 0; i < KINDS && strcmp(kinds[i].name, word); i++)
		;
	if (i == KINDS || !strcmp(word, "bond"))
		return fail(error, STATUS_USAGE,
			    "--net %s is not known: tap, stream, user, switch, vde and bond(LINK,LINK) are",
			    word);
	if (separator && (separator != kinds[i].separator || !end[1]))
		return fail(error, STATUS_USAGE,
			    "--net: write tap=NAME, stream:unix=PATH, stream:tcp=HOST:PORT, switch=NAME, vde:URL or user");
	return 0;
}

int net_parse(struct net_config *config, char *text, struct error *error)
{
	char *inside = (char *)net_value(text, "bond("), *word;

	if (inside ? parse_bond(config, inside, &text, error) :
		     parse_kind(config, &text, error))
		return -1;
	while ((word = strsep(&text, ",")))
		if (parse_word(config, word, error))
			return -1;
	if (config->vhost && config->pcap)
		return fail(error, STATUS_USAGE,
			    "--net tap: with vhost=on no frame comes by here: leave out pcap=, and capture at the interface");
	if (config->model && !strcmp(config->model, "e1000") &&
	    (config->queues || config->iothread || config->vhost))
		return fail(error, STATUS_USAGE,
			    "--net: an e1000 has no queues=, iothread= or vhost=on: leave out model=");
	return 0;
}

struct port *net_open(const struct net_config *config, struct error *error)
{
	struct port *port = NULL;
	unsigned int i;

	for (i = 0; i < KINDS; i++)
		if (!strcmp(kinds[i].name, config->kind))
			port = kinds[i].open(config, error);
	if (!port || !config->pcap)
		return port;
	port->capture = pcap_open(config->pcap, port->name, error);
	if (port->capture)
		return port;
	net_close(port);
	return NULL;
}

int net_start(struct port *port, struct loop *loop, struct error *error)
{
	int ret;

	pthread_mutex_lock(&loop->lock);
	port->loop = loop;
	ret = port->ops->start ? port->ops->start(port, error) : 0;
	pthread_mutex_unlock(&loop->lock);
	return ret;
}

void net_close(struct port *port)
{
	struct loop *loop = port ? port->loop : NULL;

	if (!port)
		return;
	if (loop)
		pthread_mutex_lock(&loop->lock);
	pcap_close(port->capture);
	port->ops->close(port);
	if (loop)
		pthread_mutex_unlock(&loop->lock);
}

/* FNV-1a; with its end mixed, as each bit of the address depends on all */
static uint64_t hash(uint64_t h, const char *text)
{
	for (; *text; text++)
		h = (h ^ (uint8_t)*text) * 0x100000001b3;
	h ^= h >> 32;
	return h * 0x9e3779b97f4a7c15;
}

void net_mac(const char *text, uint8_t *mac)
{
	int fd = open("/etc/machine-id", O_RDONLY | O_CLOEXEC);
	char host[65] = "";
	uint64_t h;

	if (fd < 0 || read(fd, host, sizeof(host) - 1) <= 0)
		gethostname(host, sizeof(host) - 1);
	if (fd >= 0)
		close(fd);
	h = hash(hash(0xcbf29ce484222325, host), text);
	h ^= h >> 29;
	memcpy(mac, &h, MAC_LEN);
	mac[0] = (mac[0] & ~1) | 2;
}
