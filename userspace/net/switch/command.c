// SPDX-License-Identifier: GPL-2.0
/* What a running switch is asked, and told, by its control socket. */
#include <string.h>
#include "net/switch/server.h"

#define PAGE	1024		/* stations in one answer */

static void add_tree(json_t *all, const struct rstp_port *p)
{
	json_object_set_new(all, "role", json_string(rstp_role_name(p)));
	json_object_set_new(all, "state", json_string(rstp_state_name(p)));
	json_object_set_new(all, "protocol",
			    json_string(p->send_rstp ? "RSTP" : "STP"));
	json_object_set_new(all, "edge", json_boolean(p->oper_edge));
}

static void add_id(json_t *all, const char *key, uint64_t id)
{
	char text[17];

	snprintf(text, sizeof(text), "%016llx", (unsigned long long)id);
	json_object_set_new(all, key, json_string(text));
}

static void add_root(json_t *all, const struct rstp *r)
{
	add_id(all, "bridge", r->id);
	add_id(all, "root", r->root.root);
	json_object_set_new(all, "cost", json_integer(r->root.cost));
	json_object_set_new(all, "changes", json_integer(r->changes));
}

static json_t *port_json(const struct member *m)
{
	const struct switch_port *p = m->plug;
	char vlan[256], mac[18];
	json_t *all;

	vlan_text(&p->vlans, vlan, sizeof(vlan));
	all = json_pack("{s:i, s:s, s:s, s:s, s:b, s:s, s:b, s:b, s:b, s:i, "
			 "s:i, s:I, s:I, s:o, s:o, s:o, s:o}",
			 "port", p->number, "name", p->name, "kind", m->kind,
			 "mac", mac_text(m->mac, mac),
			 "link", m->port->link, "vlan", vlan, "isolated",
			 p->isolated, "locked", p->locked, "capture",
			 p->port.capture != NULL, "storm", p->storm,
			 "macs", p->sw->macs.of_port[p->number],
			 "unlearned", (json_int_t)p->unlearned,
			 "copies", (json_int_t)p->copies,
			 "from", port_count_json(&p->port.from_peer),
			 "to", port_count_json(&p->port.to_peer),
			 /* What became of them in what is plugged in */
			 "came", port_count_json(&m->port->to_peer),
			 "went", port_count_json(&m->port->from_peer));
	if (p->sw->rstp.port[p->number].used)
		add_tree(all, &p->sw->rstp.port[p->number]);
	if (!m->cable)
		return all;
	json_object_set_new(all, "there",
			    port_count_json(&m->cable->end[0].port.from_peer));
	json_object_set_new(all, "back",
			    port_count_json(&m->cable->end[1].port.from_peer));
	return all;
}

static json_t *show(struct switch_server *s, const json_t *arguments,
		    struct error *error)
{
	json_t *ports = json_array(), *all;
	unsigned int i;

	for (i = 0; i < SWITCH_PORTS; i++)
		if (s->member[i].plug)
			json_array_append_new(ports, port_json(&s->member[i]));
	all = json_pack("{s:s, s:o}", "name", s->name, "ports", ports);
	if (s->sw.spans)
		add_root(all, &s->sw.rstp);
	if (!s->sw.mirror)
		return all;
	json_object_set_new(all, "mirror",
			    json_integer(s->sw.mirror->number));
	json_object_set_new(all, "mirrored", !~s->sw.mirrored ?
			    json_string("all") : !s->sw.mirrored ? json_null() :
			    json_integer(__builtin_ctzll(s->sw.mirrored)));
	return all;
}

static json_t *mac_json(const struct switch_server *s,
			const struct mac_entry *e)
{
	const uint8_t mac[] = { e->key >> 40, e->key >> 32, e->key >> 24,
				e->key >> 16, e->key >> 8, e->key };
	char text[18];

	return json_pack("{s:s, s:i, s:i, s:i}", "mac",
			 mac_text(mac, text), "vlan",
			 (int)(e->key >> 48), "port", e->port, "age",
			 (int)(s->sw.now - e->seen));
}

/* From entry "from" on; "next" is where it goes on */
static json_t *macs(struct switch_server *s, const json_t *arguments,
		    struct error *error)
{
	const struct macs *m = &s->sw.macs;
	json_int_t from = json_integer_value(json_object_get(arguments,
							     "from"));
	json_t *list = json_array(), *all;
	uint32_t i = from < 0 || from > m->used ? m->used : from;

	for (; i < m->used && json_array_size(list) < PAGE; i++)
		if (m->entry[i].key)
			json_array_append_new(list, mac_json(s, &m->entry[i]));
	all = json_pack("{s:o}", "macs", list);
	if (i < m->used)
		json_object_set_new(all, "next", json_integer(i));
	return all;
}

/* NULL with @error */
static struct switch_port *find_port(struct switch_server *s,
				     const json_t *arguments, const char *key,
				     struct error *error)
{
	const json_t *number = json_object_get(arguments, key);
	json_int_t n = json_integer_value(number);

	if (json_is_integer(number) && n >= 0 && n < SWITCH_PORTS &&
	    s->member[n].plug)
		return s->member[n].plug;
	fail(error, STATUS_USAGE, "there is no such port");
	return NULL;
}

static json_t *set_vlan(struct switch_server *s, const json_t *arguments,
			struct error *error)
{
	struct switch_port *p = find_port(s, arguments, "port", error);
	const char *text = json_string_value(json_object_get(arguments,
							     "vlan"));
	struct vlans vlans;

	if (!p || vlan_parse(&vlans, text ? text : "", error))
		return NULL;
	switch_set_vlans(p, &vlans);
	return show(s, NULL, error);
}

/* "port" goes to "to", too; without it all do; without "to" none does any more */
static json_t *set_mirror(struct switch_server *s, const json_t *arguments,
			  struct error *error)
{
	struct switch_port *to = NULL, *from = NULL;

	if (json_object_get(arguments, "to")) {
		to = find_port(s, arguments, "to", error);
		if (!to)
			return NULL;
	}
	if (json_object_get(arguments, "port")) {
		from = find_port(s, arguments, "port", error);
		if (!from)
			return NULL;
	}
	if (from && from == to) {
		fail(error, STATUS_USAGE, "a port is no mirror of itself");
		return NULL;
	}
	switch_mirror(&s->sw, from ? 1ull << from->number : ~0ull, to);
	return show(s, NULL, error);
}

/* What passes at "port" goes to "file"; without that it does not any more */
static json_t *set_capture(struct switch_server *s, const json_t *arguments,
			   struct error *error)
{
	struct switch_port *p = find_port(s, arguments, "port", error);
	const char *file = json_string_value(json_object_get(arguments,
							     "file"));
	struct pcap *pcap = NULL;

	if (p && file)
		pcap = pcap_open(file, p->name, error);
	if (!p || (file && !pcap))
		return NULL;
	pcap_close(p->port.capture);
	p->port.capture = pcap;
	return show(s, NULL, error);
}

json_t *switch_execute(void *ctx, const json_t *request, struct error *error)
{
	static const struct {
		const char *name;
		json_t *(*fn)(struct switch_server *s, const json_t *arguments,
			      struct error *error);
	} all[] = { { "switch-show", show }, { "switch-mac", macs },
		    { "switch-vlan", set_vlan },
		    { "switch-mirror", set_mirror },
		    { "switch-capture", set_capture } };
	const char *name = json_string_value(json_object_get(request,
							     "execute"));
	struct switch_server *s = ctx;
	json_t *answer = NULL;
	unsigned int i;

	for (i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		if (!name || strcmp(name, all[i].name))
			continue;
		pthread_mutex_lock(&s->loop.lock);
		answer = all[i].fn(s, json_object_get(request, "arguments"),
				   error);
		pthread_mutex_unlock(&s->loop.lock);
		return answer;
	}
	fail(error, STATUS_USAGE, "%s is not known: switch-... is",
	     name ? name : "a request without \"execute\"");
	return NULL;
}
