// SPDX-License-Identifier: GPL-2.0
/* Ports that are joined, and what the text behind --net means. */
#include <inttypes.h>
#include <string.h>
#include "base/option.h"
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

static const char *const models[] = { "virtio-net", "e1000", NULL };

static const struct option_spec nic_options[] = {
	{ .name = "model", .kind = OPTION_CHOICE, .words = models,
	  OPTION_AT(struct net_config, model), .help = "of the NIC" },
	{ .name = "mac", .kind = OPTION_STRING,
	  OPTION_AT(struct net_config, mac_text),
	  .help = "its address" },
	/* IPv4's least, and what fits into a frame */
	{ .name = "mtu", .kind = OPTION_NUMBER, .min = 68, .max = 65535,
	  OPTION_AT(struct net_config, mtu),
	  .help = "that the guest is told" },
	{ .name = "queues", .kind = OPTION_NUMBER, .min = 1, .max = NET_QUEUES,
	  OPTION_AT(struct net_config, queues),
	  .help = "pairs of its queues" },
	{ .name = "pcap", .kind = OPTION_STRING,
	  OPTION_AT(struct net_config, pcap),
	  .help = "a file that gets all frames" },
	{ .name = "iothread", .kind = OPTION_STRING,
	  OPTION_AT(struct net_config, iothread),
	  .help = "the --iothread that serves it; the main thread" },
	OPTIONS_END
};

static const struct option_spec tap_options[] = {
	{ .name = "bridge", .kind = OPTION_STRING,
	  OPTION_AT(struct net_config, bridge),
	  .help = "of the host, where it is added" },
	{ .name = "vhost", .kind = OPTION_BOOL,
	  OPTION_AT(struct net_config, vhost),
	  .help = "the host's kernel moves the frames" },
	OPTIONS_END
};

static const struct option_spec stream_options[] = {
	{ .name = "server", .kind = OPTION_BOOL,
	  OPTION_AT(struct net_config, server), .help = "it listens" },
	OPTIONS_END
};

static const struct option_spec user_options[] = {
	{ .name = "hostfwd", .kind = OPTION_STRINGS,
	  OPTION_AT(struct net_config, forward),
	  .help = "tcp::PORT-:PORT: a port of the host is the guest's" },
	OPTIONS_END
};

static const struct option_spec no_options[] = { OPTIONS_END };

/* @separator: before an address, 0: there is none; @options: of the kind alone */
static const struct kind {
	const char *name;
	struct port *(*open)(const struct net_config *config,
			     struct error *error);
	char separator;
	const struct option_spec *options;
} kinds[] = { { "tap", tap_open, '=', tap_options },
	      { "stream", stream_port_open, ':', stream_options },
	      { "user", user_open, 0, user_options },
	      { "vde", vde_port_open, ':', no_options },
	      { "switch", switch_port_open, '=', switch_options },
	      { "bond", bond_open, 0, bond_options } };
#define KINDS (sizeof(kinds) / sizeof(kinds[0]))

/* What they mean is for the switch to say */
static int add_port_option(struct net_config *c, const char *word,
			   struct error *error)
{
	size_t n = strlen(c->port_options);
	size_t left = sizeof(c->port_options) - n;

	if ((size_t)snprintf(c->port_options + n, left, "%s%s", n ? "," : "",
			     word) < left)
		return 0;
	return fail(error, STATUS_USAGE, "too many options");
}

/* All that there are, as a word of another kind is not known either */
static int refuse_word(const char *word, struct error *error)
{
	char known[400] = "";
	unsigned int i;

	option_names(nic_options, known, sizeof(known));
	for (i = 0; i < KINDS; i++) {
		size_t n = strlen(known);

		if (!kinds[i].options->name)
			continue;
		snprintf(known + n, sizeof(known) - n, "; of a %s ",
			 kinds[i].name);
		option_names(kinds[i].options, known, sizeof(known));
	}
	return fail(error, STATUS_USAGE, "%s is not known: these are: %s", word,
		    known);
}

static int parse_word(struct net_config *c, char *word, struct error *error)
{
	const struct kind *kind = kinds;

	if (option_has(nic_options, word))
		return option_parse(nic_options, c, word, error);
	while (strcmp(kind->name, c->kind))
		kind++;
	if (!option_has(kind->options, word))
		return refuse_word(word, error);
	if (kind->options == switch_options)
		return add_port_option(c, word, error);
	return option_parse(kind->options, kind->options == bond_options ?
			    (void *)&c->bond : c, word, error);
}

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

/* What was said fits together */
static int check(struct net_config *config, struct error *error)
{
	if (config->mac_text && net_parse_mac(config->mac, config->mac_text,
					      error))
		return -1;
	config->has_mac = config->mac_text;
	while (config->forwards < NET_FORWARDS &&
	       config->forward[config->forwards])
		config->forwards++;
	if (config->bond.links && bond_check(&config->bond, error))
		return -1;
	if (config->vhost && config->pcap)
		return fail(error, STATUS_USAGE,
			    "--net tap: with vhost=on no frame comes by here: leave out pcap=, and capture at the interface");
	if (config->model == NET_E1000 &&
	    (config->queues || config->iothread || config->vhost))
		return fail(error, STATUS_USAGE,
			    "--net: an e1000 has no queues=, iothread= or vhost=on: leave out model=");
	return 0;
}

int net_parse(struct net_config *config, char *text, struct error *error)
{
	bool bond = !strncmp(text, "bond(", 5);
	struct error why = { 0 };
	char *word;

	if (bond ? parse_bond(config, text + 5, &text, error) :
		   parse_kind(config, &text, error))
		return -1;
	while ((word = option_next(&text)))
		if (parse_word(config, word, &why))
			return fail(error, why.status, "--net %s: %s",
				    config->kind, why.text);
	return check(config, error);
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
