################################################################################
#
# latchkey
#
################################################################################

LATCHKEY_VERSION = 0.1.0
LATCHKEY_SITE = $(realpath $(BR2_EXTERNAL_LATCHKEY_PATH)/../..)
LATCHKEY_SITE_METHOD = local
LATCHKEY_OVERRIDE_SRCDIR_RSYNC_EXCLUSIONS = --exclude /target
LATCHKEY_LICENSE = MIT or Apache-2.0
LATCHKEY_LICENSE_FILES = LICENSE-MIT LICENSE-APACHE

# Static, with a C library of its own: the firmware's toolchain has no part in it.
LATCHKEY_ADD_TOOLCHAIN_DEPENDENCY = NO

LATCHKEY_BOARD = $(call qstrip,$(BR2_PACKAGE_LATCHKEY_BOARD))
LATCHKEY_SETTINGS = $(call qstrip,$(BR2_PACKAGE_LATCHKEY_SETTINGS))
LATCHKEY_COMMAND = /usr/sbin/latchkeyd run --board /etc/latchkey/board.toml
ifneq ($(LATCHKEY_SETTINGS),)
LATCHKEY_COMMAND += --settings /etc/latchkey/settings.toml
endif

define LATCHKEY_BUILD_CMDS
	cd $(@D) && scripts/build $(LATCHKEY_BOARD) --out $(@D)/latchkeyd
endef

# The board's file as board.toml, and each file that it inherits under its own name.
define LATCHKEY_INSTALL_BOARD
	$(INSTALL) -D -m 0644 $(@D)/board/$(LATCHKEY_BOARD).toml $(TARGET_DIR)/etc/latchkey/board.toml
	file=$(LATCHKEY_BOARD).toml; \
	while file=$$(sed -n 's/^inherits *= *"\([^"]*\)".*/\1/p' $(@D)/board/$$file); [ -n "$$file" ]; do \
		$(INSTALL) -m 0644 $(@D)/board/$$file $(TARGET_DIR)/etc/latchkey/$$file || exit 1; \
	done
endef

ifneq ($(LATCHKEY_SETTINGS),)
define LATCHKEY_INSTALL_SETTINGS
	$(INSTALL) -D -m 0644 $(LATCHKEY_SETTINGS) $(TARGET_DIR)/etc/latchkey/settings.toml
endef
endif

define LATCHKEY_INSTALL_TARGET_CMDS
	$(INSTALL) -D -m 0755 $(@D)/latchkeyd $(TARGET_DIR)/usr/sbin/latchkeyd
	$(LATCHKEY_INSTALL_BOARD)
	$(LATCHKEY_INSTALL_SETTINGS)
endef

define LATCHKEY_INSTALL_INIT_SYSTEMD
	$(INSTALL) -d $(TARGET_DIR)/usr/lib/systemd/system
	sed 's|^ExecStart=.*|ExecStart=$(LATCHKEY_COMMAND)|' $(@D)/board/service/latchkeyd.service \
		> $(TARGET_DIR)/usr/lib/systemd/system/latchkeyd.service
endef

# A script in /etc/init.d would start it once; init itself starts it again whenever it ends. The file is
# written anew for every image, so that another build of the same folder has one line, not two.
ifeq ($(BR2_INIT_BUSYBOX)$(BR2_INIT_SYSV),y)
LATCHKEY_INITTAB_LINE = $(if $(BR2_INIT_SYSV),lkd:2345,:):respawn:$(LATCHKEY_COMMAND)
define LATCHKEY_INITTAB
	sed -i '/respawn:\/usr\/sbin\/latchkeyd /d' $(TARGET_DIR)/etc/inittab
	echo '$(LATCHKEY_INITTAB_LINE)' >> $(TARGET_DIR)/etc/inittab
endef
LATCHKEY_TARGET_FINALIZE_HOOKS += LATCHKEY_INITTAB
endif

# The unit's user; init's line starts as root, and the daemon becomes the user of its board's file.
ifeq ($(BR2_INIT_SYSTEMD),y)
define LATCHKEY_USERS
	latchkey -1 latchkey -1 * - - - Latchkey
endef
endif

$(eval $(generic-package))
