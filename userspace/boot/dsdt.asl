// SPDX-License-Identifier: GPL-2.0
// What an operating system cannot find out by itself: how to turn the machine
// off, where the serial port is, what the PCI bus may use, and its interrupts.
// The addresses are those of devices/pci/pci.h.
DefinitionBlock ("", "DSDT", 2, "MVMM", "MVMM", 1)
{
    Name (\_S5, Package () { 5, 5, 0, 0 })

    Scope (\_SB)
    {
        Device (COM1)
        {
            Name (_HID, EisaId ("PNP0501"))
            Name (_CRS, ResourceTemplate ()
            {
                IO (Decode16, 0x3f8, 0x3f8, 1, 8)
                IRQNoFlags () { 4 }
            })
        }

        // What answers at an i8042's status: without one there are only ones
        OperationRegion (KBDC, SystemIO, 0x64, 1)
        Field (KBDC, ByteAcc, NoLock, Preserve)
        {
            KBST, 8
        }

        Method (I842, 0, NotSerialized)
        {
            If (KBST == 0xff)
            {
                Return (0)
            }
            Return (0xf)
        }

        Device (PS2K)
        {
            Name (_HID, EisaId ("PNP0303"))
            Method (_STA, 0, NotSerialized)
            {
                Return (I842 ())
            }
            Name (_CRS, ResourceTemplate ()
            {
                IO (Decode16, 0x60, 0x60, 1, 1)
                IO (Decode16, 0x64, 0x64, 1, 1)
                IRQNoFlags () { 1 }
            })
        }

        Device (PS2M)
        {
            Name (_HID, EisaId ("PNP0F13"))
            Method (_STA, 0, NotSerialized)
            {
                Return (I842 ())
            }
            Name (_CRS, ResourceTemplate ()
            {
                IRQNoFlags () { 12 }
            })
        }

        Device (PCI0)
        {
            Name (_HID, EisaId ("PNP0A08"))
            Name (_CID, EisaId ("PNP0A03"))
            Name (_UID, 0)
            Name (_BBN, 0)
            Name (_CRS, ResourceTemplate ()
            {
                WordBusNumber (ResourceProducer, MinFixed, MaxFixed, PosDecode,
                    0, 0, 0, 0, 1)
                IO (Decode16, 0xcf8, 0xcf8, 1, 8)
                // Those of old, as the channels of IDE have them
                WordIO (ResourceProducer, MinFixed, MaxFixed, PosDecode,
                    EntireRange, 0, 0, 0xcf7, 0, 0xcf8)
                WordIO (ResourceProducer, MinFixed, MaxFixed, PosDecode,
                    EntireRange, 0, 0x1000, 0xffff, 0, 0xf000)
                DWordMemory (ResourceProducer, PosDecode, MinFixed, MaxFixed,
                    NonCacheable, ReadWrite, 0, 0xc0000000, 0xdfffffff, 0,
                    0x20000000)
                // Where that is depends on the RAM and the processor: the
                // launcher writes it (boot/acpi.c). This is beyond both
                QWordMemory (ResourceProducer, PosDecode, MinFixed, MaxFixed,
                    NonCacheable, ReadWrite, 0, 0x7fffc0000000, 0x7fffffffffff,
                    0, 0x40000000)
            })

            // INTA of each slot: even ones have line 10, odd ones line 11
            Name (_PRT, Package ()
            {
                Package () { 0x0001ffff, 0, 0, 11 },
                Package () { 0x0002ffff, 0, 0, 10 },
                Package () { 0x0003ffff, 0, 0, 11 },
                Package () { 0x0004ffff, 0, 0, 10 },
                Package () { 0x0005ffff, 0, 0, 11 },
                Package () { 0x0006ffff, 0, 0, 10 },
                Package () { 0x0007ffff, 0, 0, 11 },
                Package () { 0x0008ffff, 0, 0, 10 },
                Package () { 0x0009ffff, 0, 0, 11 },
                Package () { 0x000affff, 0, 0, 10 },
                Package () { 0x000bffff, 0, 0, 11 },
                Package () { 0x000cffff, 0, 0, 10 },
                Package () { 0x000dffff, 0, 0, 11 },
                Package () { 0x000effff, 0, 0, 10 },
                Package () { 0x000fffff, 0, 0, 11 },
                Package () { 0x0010ffff, 0, 0, 10 },
                Package () { 0x0011ffff, 0, 0, 11 },
                Package () { 0x0012ffff, 0, 0, 10 },
                Package () { 0x0013ffff, 0, 0, 11 },
                Package () { 0x0014ffff, 0, 0, 10 },
                Package () { 0x0015ffff, 0, 0, 11 },
                Package () { 0x0016ffff, 0, 0, 10 },
                Package () { 0x0017ffff, 0, 0, 11 },
                Package () { 0x0018ffff, 0, 0, 10 },
                Package () { 0x0019ffff, 0, 0, 11 },
                Package () { 0x001affff, 0, 0, 10 },
                Package () { 0x001bffff, 0, 0, 11 },
                Package () { 0x001cffff, 0, 0, 10 },
                Package () { 0x001dffff, 0, 0, 11 },
                Package () { 0x001effff, 0, 0, 10 },
                Package () { 0x001fffff, 0, 0, 11 }
            })
        }

        // The pages by which configuration space is reached (MCFG)
        Device (ECAM)
        {
            Name (_HID, EisaId ("PNP0C02"))
            Name (_CRS, ResourceTemplate ()
            {
                Memory32Fixed (ReadWrite, 0xe0000000, 0x00100000)
            })
        }
    }
}
