/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The parts of piix3-ide, an IDE controller with two channels: the PCI function
 * and its bus master (piix3.c), the registers of a channel and the ways that data
 * take (channel.c), disks (ata.c), and CD-ROMs: packets (atapi.c) and what they
 * ask for (mmc.c). The words are those of ATA/ATAPI-7 and MMC-5.
 */
#ifndef MVMM_IDE_H
#define MVMM_IDE_H

#include "block/block.h"
#include "core/machine.h"
#include "devices/pci/pci.h"

#define IDE_CHANNELS	2
#define IDE_DRIVES	2
#define IDE_BUFFER	8192u	/* between the disk and the data port */
#define IDE_MULTIPLE	16u	/* sectors of READ MULTIPLE, at most */
#define IDE_PRDS	8192	/* what a table of 64 KiB has room for */
#define IDE_PACKET	12
#define CD_SECTOR	2048u

/* Status */
#define ATA_ERR		(1u << 0)
#define ATA_DRQ		(1u << 3)
#define ATA_DSC		(1u << 4)	/* the heads are where they should be */
#define ATA_DRDY	(1u << 6)
#define ATA_BUSY	(1u << 7)
/* Error */
#define ATA_ABORTED	(1u << 2)
#define ATA_IDNF	(1u << 4)	/* there is no such sector */
#define ATA_UNC		(1u << 6)	/* it cannot be read */
/* Device control */
#define ATA_NIEN	(1u << 1)
#define ATA_SRST	(1u << 2)
#define ATA_HOB		(1u << 7)
/* Device */
#define ATA_DEV1	(1u << 4)
#define ATA_LBA		(1u << 6)
#define ATAPI_PACKET	0xa0	/* its data have an end of their own */
/* What is in the count register of a CD-ROM */
#define ATAPI_COMMAND	(1u << 0)
#define ATAPI_TO_HOST	(1u << 1)
/* The bus master's command and status */
#define BM_START	(1u << 0)
#define BM_TO_MEMORY	(1u << 3)
#define BM_ACTIVE	(1u << 0)
#define BM_ERROR	(1u << 1)
#define BM_INTERRUPT	(1u << 2)
#define BM_CAPABLE	(3u << 5)	/* of DMA: the firmware's to say */

enum ide_phase { IDE_IDLE, IDE_PIO_IN, IDE_PIO_OUT, IDE_PACKET_OUT, IDE_DMA_IN,
		 IDE_DMA_OUT, IDE_PHASES };

/**
 * struct ide_taskfile - registers that the host writes to both drives of a channel,
 *	and each answers by its own
 * @feature: or precompensation
 * @count: of sectors
 * @lba: or sector, and cylinder
 */
struct ide_taskfile {
	uint8_t feature, count, lba[3];
};

/**
 * struct ide_drive - a disk or a CD-ROM
 * @block: what it has; NULL: there is no such drive
 * @cd: it is a CD-ROM
 * @serial: padded with spaces
 * @task: registers
 * @before: what was in them before they were written last: the upper halves of
 *	48-bit addresses
 * @error: register
 * @status: the same
 * @multiple: sectors between interrupts, as the driver wants it; 0: it said nothing
 * @heads: of the geometry that is in use, not more than 16
 * @sectors: of a track, the same
 * @mode: of transfers, as the driver chose
 * @no_cache: each write is flushed
 * @key: why the last packet failed (sense)
 * @asc: the same
 * @ascq: the same
 * @locked: the tray does not open
 * @open: it is; the medium is out
 * @changed: the next packet fails, because the medium may be another one
 * @event: of the medium, that nobody asked for yet
 */
struct ide_drive {
	struct block *block;
	bool cd;
	char serial[20];
	struct ide_taskfile task, before;
	uint8_t error, status;
	uint8_t multiple, heads, sectors, mode;
	bool no_cache;
	uint8_t key, asc, ascq;
	bool locked, open, changed;
	uint8_t event;
};

/**
 * struct ide_channel - two drives at one cable
 * @ide: whose it is
 * @command: ports 0x1f0 to 0x1f7
 * @control: port 0x3f6
 * @irq: its line
 * @drive: its drives
 * @request: to the block layer
 * @iov: its memory, as many as there can be PRDs
 * @busy: whose it is until it ends; NULL: it is not in flight
 * @last: it takes all that the bus master's table has
 * @cancelling: what ends now is of no command any more
 * @then: what becomes of the command when it ends
 * @device: register: which drive
 * @ctrl: the register behind port 0x3f6
 * @intrq: the drive asks for an interrupt
 * @running: the command
 * @phase: IDE_*
 * @at: where on the disk what follows is, in bytes
 * @left: how much of it has not been in the buffer
 * @unit: bytes between two interrupts
 * @pos: where the host is in the buffer
 * @end: how far it can go before the next interrupt
 * @len: bytes in it
 * @buffer: what goes through the data port
 * @packet: a CD-ROM's command
 * @limit: bytes between two interrupts, as the host wants it for a packet
 * @packet_dma: the packet's data go by DMA
 * @bm_command: of the bus master
 * @bm_status: the same
 * @bm_table: where its table is
 */
struct ide_channel {
	struct ide *ide;
	struct region command, control;
	struct irq irq;
	struct ide_drive drive[IDE_DRIVES];
	struct block_request request;
	struct iovec *iov;
	struct block *busy;
	bool last, cancelling;
	void (*then)(struct ide_channel *c, int result);
	uint8_t device, ctrl;
	bool intrq;
	uint8_t running, phase;
	uint64_t at, left;
	uint32_t unit, pos, end, len;
	uint64_t buffer[IDE_BUFFER / 8];
	uint8_t packet[IDE_PACKET];
	uint16_t limit;
	bool packet_dma;
	uint8_t bm_command, bm_status;
	uint32_t bm_table;
};

/**
 * struct ide - the controller
 * @pci: its function
 * @bus_master: ports of BAR 4
 * @channel: two of them
 */
struct ide {
	struct pci_function pci;
	struct ide_channel channel[IDE_CHANNELS];
};

/* In all of these the lock is held */

/* The drive that is selected; it may be none */
static inline struct ide_drive *ide_selected(struct ide_channel *c)
{
	return &c->drive[!!(c->device & ATA_DEV1)];
}

static inline uint8_t *ide_bytes(struct ide_channel *c)
{
	return (uint8_t *)c->buffer;
}

/* Is what the command writes to be on the disk when it ends? Two want that (FUA) */
static inline bool ide_is_stable(struct ide_channel *c)
{
	return ide_selected(c)->no_cache || c->running == 0x3d ||
	       c->running == 0xce;
}

extern const struct field ide_channel_fields[];

uint64_t ide_command_read(struct ide_channel *c, uint64_t at, unsigned int size);
void ide_command_write(struct ide_channel *c, uint64_t at, uint64_t value,
		       unsigned int size);
uint64_t ide_control_read(struct ide_channel *c);
void ide_control_write(struct ide_channel *c, uint8_t value);
/* As after power-on */
void ide_channel_reset(struct ide_channel *c);
/* -1 with @error: fields that cannot be */
int ide_channel_loaded(struct ide_channel *c, struct error *error);
/* What is in flight ends, and no command is told */
void ide_cancel(struct ide_channel *c);

/*
 * Ways to end a command. @error: the register's bits, 0: all is well. With an
 * interrupt, but where the host has all data: then there was one before it
 */
void ide_end(struct ide_channel *c, uint8_t error, bool interrupt);
void ide_interrupt(struct ide_channel *c);
/* Registers as after a reset: which kind of drive is this? */
void ide_signature(struct ide_drive *d);
/* Begins a request; @then is called when it has ended, maybe at once */
void ide_submit(struct ide_channel *c, enum block_op op, uint64_t at,
		uint64_t len, unsigned int niov, bool stable,
		void (*then)(struct ide_channel *c, int result));
/* @len bytes of the buffer are for the host's data port */
void ide_offer(struct ide_channel *c, uint32_t len);
/* From the disk to the data port: @at, @left and @unit are set */
void ide_pio_in(struct ide_channel *c);
/* And back; the first block needs no interrupt */
void ide_pio_out(struct ide_channel *c);
/* By DMA, as soon as the bus master is started; @at and @left, or @len, are set */
void ide_dma(struct ide_channel *c, bool in);
/* It may go on */
void ide_dma_try(struct ide_channel *c);
/* The disk cannot: a command of either kind of drive ends */
void ide_disk_failed(struct ide_channel *c, bool read);

/* What a drive does with a command */
void ata_command(struct ide_channel *c, uint8_t command);
void atapi_command(struct ide_channel *c, uint8_t command);
/* See struct device_class. 0, or -1 with @error */
int atapi_medium(struct ide_channel *c, struct ide_drive *d, struct block *new,
		 bool force, struct error *error);
/* SET FEATURES, which both have */
void ata_set_features(struct ide_channel *c);
/* A text of IDENTIFY, in words */
void ata_text(uint16_t *words, const char *text, unsigned int len);
/* All bytes of a packet have come */
void atapi_packet(struct ide_channel *c);
/* The end of one. @key: 0: all is well */
void atapi_end(struct ide_channel *c, uint8_t key, uint8_t asc, uint8_t ascq);
/* @len bytes of the buffer are the answer, of which the host wants @wanted */
void atapi_reply(struct ide_channel *c, uint32_t len, uint32_t wanted);
/* Packets that ask what the drive and the medium are; false: unknown */
bool mmc_packet(struct ide_channel *c);
/* 0: there is none */
uint32_t mmc_sectors(const struct ide_drive *d);

/* What SCSI calls the results: key, additional code and its qualifier */
#define SENSE_NO_MEDIUM		0x2, 0x3a, 0
#define SENSE_READ_ERROR	0x3, 0x11, 0
#define SENSE_UNKNOWN		0x5, 0x20, 0
#define SENSE_BEYOND		0x5, 0x21, 0
#define SENSE_FIELD		0x5, 0x24, 0
#define SENSE_NOT_SAVED		0x5, 0x39, 0
#define SENSE_LOCKED		0x5, 0x53, 2
#define SENSE_CHANGED		0x6, 0x28, 0
#define SENSE_ABORTED		0xb, 0, 0

#endif
